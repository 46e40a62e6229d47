//! What a run comes to, as a table.

use std::{collections::BTreeMap, fmt, time::Duration};

use chaos::{Event, Line};

use crate::{
    check::Again,
    fault::{Fault, Injected},
};

/// The outcome of one run, or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) seeds: Vec<u64>,
    pub(crate) enqueued: u64,
    pub(crate) finished: u64,
    pub(crate) again: Again,
    /// Fault → how often, and how long it took each time until what it had stopped went on.
    pub(crate) faults: BTreeMap<Fault, (usize, Vec<Duration>)>,
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        self.seeds.extend(other.seeds);
        self.enqueued += other.enqueued;
        self.finished += other.finished;
        self.again.failures += other.again.failures;
        self.again.crashes += other.again.crashes;
        self.again.releases += other.again.releases;
        self.again.forgotten += other.again.forgotten;
        for (fault, (times, took)) in other.faults {
            let sum = self.faults.entry(fault).or_default();
            sum.0 += times;
            sum.1.extend(took);
        }
    }

    pub(crate) fn count(&mut self, injected: &Injected, lines: &[Line]) {
        let sum = self.faults.entry(injected.fault).or_default();
        sum.0 += 1;
        sum.1.extend(recovery(injected, lines));
    }
}

/// From the fault until the last task of its victims runs again; where nobody was one, from its end until a task starts.
/// `None` if nothing was stopped.
fn recovery(injected: &Injected, lines: &[Line]) -> Option<Duration> {
    let took = |from: u64, to: u64| Duration::from_micros(to.saturating_sub(from));
    if injected.victims.is_empty() {
        let next = lines.iter().find(|line| line.event == Event::Start && line.at >= injected.over)?;
        return Some(took(injected.over, next.at));
    }
    let mut held: BTreeMap<(&str, u32), u64> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.at < injected.at && injected.victims.contains(&line.pid)) {
        match line.event {
            Event::Start => drop(held.insert((&line.id, line.attempt), line.at)),
            Event::End => drop(held.remove(&(line.id.as_str(), line.attempt))),
        }
    }
    let again = |id: &str, attempt| {
        // one that was claimed by another victim meanwhile is that one's
        let again = |line: &&Line| line.event == Event::Start && line.id == id && line.attempt == attempt + 1;
        lines.iter().find(again).map(|line| took(injected.at, line.at))
    };
    held.keys().filter_map(|(id, attempt)| again(id, *attempt)).max()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        writeln!(f, "{:52} {:>5} {:>9} {:>9}", "fault", "times", "p50", "max")?;
        for (fault, (times, took)) in &self.faults {
            let mut took = took.clone();
            took.sort_unstable();
            let at = |place: Option<usize>| {
                let took = place.and_then(|place| took.get(place));
                took.map_or_else(|| "-".to_owned(), |took| format!("{} ms", took.as_millis()))
            };
            let (p50, max) = (at(Some(took.len() / 2)), at(took.len().checked_sub(1)));
            writeln!(f, "{:52} {times:>5} {p50:>9} {max:>9}", fault.words())?;
        }
        let Again { failures, crashes, releases, forgotten } = self.again;
        writeln!(
            f,
            "enqueued {}, finished {}, lost 0, stuck 0, ended twice 0",
            self.enqueued, self.finished
        )?;
        writeln!(
            f,
            "runs beyond the first: {failures} after a failure, {crashes} after a crash, {releases} after a release, \
             {forgotten} of a claim that the server forgot"
        )?;
        write!(f, "seeds: {}", seeds.join(" "))
    }
}
