//! What a run comes to, as a table.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    time::Duration,
};

use chaos::{Event, Line};
use serde_json::{Value, json};

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
    pub(crate) faults: BTreeMap<Fault, Told>,
}

/// What is told of one kind of fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    times: usize,
    /// How long it took each time until what it had stopped went on.
    took: Vec<Duration>,
}

impl Told {
    /// The median and the longest; `None` if it never stopped anything.
    fn recovery(&self) -> Option<(Duration, Duration)> {
        let mut took = self.took.clone();
        took.sort_unstable();
        Some((*took.get(took.len() / 2)?, *took.last()?))
    }
}

impl Report {
    pub(crate) fn add(&mut self, other: Self) {
        self.seeds.extend(other.seeds);
        self.enqueued += other.enqueued;
        self.finished += other.finished;
        self.again.add(other.again);
        for (fault, told) in other.faults {
            let sum = self.faults.entry(fault).or_default();
            sum.times += told.times;
            sum.took.extend(told.took);
        }
    }

    pub(crate) fn count(&mut self, injected: &[Injected], lines: &[Line]) {
        let starts = Starts::of(lines);
        for (place, fault) in injected.iter().enumerate() {
            let sum = self.faults.entry(fault.fault).or_default();
            sum.times += 1;
            // what took until after the next fault says nothing of this one
            let next = injected.get(place + 1).map(|next| Duration::from_micros(next.at - fault.at));
            let took = recovery(fault, lines, &starts);
            sum.took.extend(took.filter(|took| next.is_none_or(|next| *took < next)));
        }
    }

    /// All of it, for a program to read. What was lost, stuck or ended twice is none, or there would be no report.
    pub(crate) fn json(&self, took: Duration) -> Value {
        let faults = self.faults.iter().map(|(fault, told)| {
            let recovery = told.recovery();
            json!({
                "fault": fault.words(),
                "times": told.times,
                "p50_ms": recovery.map(|(p50, _)| p50.as_millis() as u64),
                "max_ms": recovery.map(|(_, max)| max.as_millis() as u64),
            })
        });
        let Again { tasks, failures, crashes, releases, replays, forgotten } = self.again;
        json!({
            "seeds": self.seeds,
            "seconds": took.as_secs(),
            "enqueued": self.enqueued,
            "finished": self.finished,
            "lost": 0,
            "stuck": 0,
            "ended_twice": 0,
            "tasks_run_again": tasks,
            "runs_beyond_the_first": {
                "after_a_failure": failures,
                "after_a_crash": crashes,
                "after_a_release": releases,
                "after_a_replay": replays,
                "of_a_claim_that_the_server_forgot": forgotten,
            },
            "faults": faults.collect::<Vec<_>>(),
        })
    }
}

/// When what was run.
struct Starts<'a> {
    /// Each start of any task, in order.
    all: Vec<u64>,
    /// The first of each claim of a task.
    of: HashMap<(&'a str, u32), u64>,
}

impl<'a> Starts<'a> {
    fn of(lines: &'a [Line]) -> Self {
        let starts = || lines.iter().filter(|line| line.event == Event::Start);
        let mut all: Vec<u64> = starts().map(|line| line.at).collect();
        all.sort_unstable();
        let mut of = HashMap::new();
        for line in starts() {
            of.entry((line.id.as_str(), line.attempt)).or_insert(line.at);
        }
        Self { all, of }
    }
}

/// From the fault until the last task of its victims runs again; where nobody was one, from its end until a task starts.
/// `None` if nothing was stopped.
fn recovery(injected: &Injected, lines: &[Line], starts: &Starts<'_>) -> Option<Duration> {
    let took = |from: u64, to: u64| Duration::from_micros(to.saturating_sub(from));
    if injected.victims.is_empty() {
        let next = starts.all.get(starts.all.partition_point(|at| *at < injected.over))?;
        return Some(took(injected.over, *next));
    }
    let held = held(injected, lines);
    // one that was claimed by another victim meanwhile is that one's
    let again = held.iter().filter_map(|(id, attempt)| starts.of.get(&(*id, attempt + 1)));
    again.map(|at| took(injected.at, *at)).max()
}

/// What the victims of a fault ran when it came: tasks, and their claims.
fn held<'a>(injected: &Injected, lines: &'a [Line]) -> BTreeSet<(&'a str, u32)> {
    let mut held = BTreeSet::new();
    for line in lines.iter().filter(|line| line.at < injected.at && injected.victims.contains(&line.pid)) {
        match line.event {
            Event::Start => held.insert((line.id.as_str(), line.attempt)),
            Event::End => held.remove(&(line.id.as_str(), line.attempt)),
        };
    }
    held
}

/// Whether all that the victims of a fault ran was run again, or was not theirs any more.
pub(crate) fn is_made_good(injected: &Injected, lines: &[Line]) -> bool {
    let mut missing = held(injected, lines);
    for line in lines.iter().filter(|line| line.at >= injected.at && line.event == Event::Start) {
        missing.remove(&(line.id.as_str(), line.attempt.saturating_sub(1)));
    }
    missing.is_empty()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        writeln!(f, "{:52} {:>5} {:>9} {:>9}", "fault", "times", "p50", "max")?;
        for (fault, told) in &self.faults {
            let ms = |took: Duration| format!("{} ms", took.as_millis());
            let (p50, max) = match told.recovery() {
                Some((p50, max)) => (ms(p50), ms(max)),
                None => ("-".to_owned(), "-".to_owned()),
            };
            writeln!(f, "{:52} {:>5} {p50:>9} {max:>9}", fault.words(), told.times)?;
        }
        let Again { tasks, failures, crashes, releases, replays, forgotten } = self.again;
        writeln!(
            f,
            "enqueued {}, finished {}, lost 0, stuck 0, ended twice 0",
            self.enqueued, self.finished
        )?;
        writeln!(
            f,
            "{tasks} tasks were run more than once; runs beyond the first: {failures} after a failure, {crashes} after a \
             crash, {releases} after a release, {replays} after a replay, {forgotten} of a claim that the server forgot"
        )?;
        write!(f, "seeds: {}", seeds.join(" "))
    }
}
