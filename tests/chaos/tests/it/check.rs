//! What must hold of a run, whatever went wrong in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use chaos::{Event, Line};
use task_core::{CancelAnswer, FailureKind, QueueStats, ResultMessage, TaskStatus, Timestamp, decode};

use crate::load::{Cancel, Entry, Kind};

/// Everything that is known of a run at its end.
pub(crate) struct History<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) lines: &'a [Line],
    pub(crate) records: &'a BTreeMap<String, ResultMessage>,
    /// What waiting apps were told when a task became final.
    pub(crate) seen: &'a [ResultMessage],
    pub(crate) stats: &'a QueueStats,
    /// Processes that died or were frozen.
    pub(crate) victims: &'a [u32],
    /// When the server may have lost what it acknowledged: only what happened outside of it must hold.
    pub(crate) losses: &'a [Range<u64>],
    /// Whether the server's clock was left alone.
    pub(crate) clock_is_true: bool,
}

/// The runs of a task beyond its first, by their counted causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) failures: u64,
    pub(crate) crashes: u64,
    pub(crate) releases: u64,
    /// Of a claim that a server forgot which lost what it had acknowledged.
    pub(crate) forgotten: u64,
}

struct Runs<'a> {
    /// Claim → its starts: when, and where.
    starts: BTreeMap<u32, Vec<(u64, u32)>>,
    ends: BTreeSet<u32>,
    lines: Vec<&'a Line>,
}

impl History<'_> {
    /// Each promise that was broken, in words; none if all was kept.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let runs = self.runs();
        for entry in self.entries {
            self.check_entry(entry, &mut wrong);
        }
        let none = Runs { starts: BTreeMap::new(), ends: BTreeSet::new(), lines: Vec::new() };
        for (id, record) in self.records {
            self.check_counts(record, &mut wrong);
            self.check_runs(record, runs.get(id.as_str()).unwrap_or(&none), &mut wrong);
        }
        // given to a worker before it was lost, it may be run after that, too
        let acked_in_loss = |entry: &&Entry| entry.acked.is_some_and(|acked| self.in_loss(acked));
        let lost: BTreeSet<&str> =
            self.entries.iter().filter(acked_in_loss).map(|entry| entry.id.as_str()).collect();
        for (id, runs) in &runs {
            let forgiven = lost.contains(id) || runs.lines.iter().any(|line| self.in_loss(line.at));
            if !self.records.contains_key(*id) && !forgiven {
                wrong.push(format!("{id} was run, and the queue doesn't know it"));
            }
        }
        for seen in self.seen {
            let now = self.records.get(&seen.id.to_string());
            let same = |now: &ResultMessage| {
                (now.status, &now.result, now.attempts) == (seen.status, &seen.result, seen.attempts)
            };
            let lost = seen.finished_at.is_some_and(|at| self.in_loss(at.as_millis() * 1000));
            if !now.is_some_and(same) && !lost {
                wrong.push(format!("a result was overwritten: {seen:?} became {now:?}"));
            }
        }
        if self.losses.is_empty() && self.clock_is_true {
            self.check_order(&mut wrong);
        }
        self.check_follow_ups(&mut wrong);
        self.check_totals(&mut wrong);
        wrong
    }

    /// Runs beyond the first of each task.
    pub(crate) fn again(&self) -> Again {
        let mut again = Again::default();
        for (id, runs) in self.runs() {
            let Some(record) = self.records.get(id) else { continue };
            let starts: usize = runs.starts.values().map(Vec::len).sum();
            again.forgotten += (starts - runs.starts.len()) as u64;
            let mut beyond = (runs.starts.len() as u64).saturating_sub(1);
            for (count, of) in [
                (&mut again.failures, record.failures),
                (&mut again.crashes, record.crashes),
                (&mut again.releases, record.releases),
            ] {
                let these = beyond.min(of.into());
                *count += these;
                beyond -= these;
            }
        }
        again
    }

    fn in_loss(&self, at: u64) -> bool {
        self.losses.iter().any(|loss| loss.contains(&at))
    }

    fn runs(&self) -> BTreeMap<&str, Runs<'_>> {
        let mut runs: BTreeMap<&str, Runs<'_>> = BTreeMap::new();
        for line in self.lines {
            let empty = || Runs { starts: BTreeMap::new(), ends: BTreeSet::new(), lines: Vec::new() };
            let of = runs.entry(&line.id).or_insert_with(empty);
            of.lines.push(line);
            match line.event {
                Event::Start => of.starts.entry(line.attempt).or_default().push((line.at, line.pid)),
                Event::End => drop(of.ends.insert(line.attempt)),
            }
        }
        runs
    }

    /// What was acknowledged is there, and ended as its code does.
    fn check_entry(&self, entry: &Entry, wrong: &mut Vec<String>) {
        let Some(record) = self.records.get(&entry.id) else {
            if entry.acked.is_some_and(|acked| !self.in_loss(acked)) {
                wrong.push(format!("lost: {entry:?}"));
            }
            return;
        };
        let crashed = record.error.as_ref().is_some_and(|error| error.kind == FailureKind::Crashed);
        let fits = match record.status {
            TaskStatus::Completed => !matches!(entry.kind, Kind::Exhausted | Kind::Fatal | Kind::Skipped),
            TaskStatus::Skipped => entry.kind == Kind::Skipped,
            TaskStatus::Failed if crashed => record.crashes > 3,
            TaskStatus::Failed if matches!(entry.kind, Kind::Parent(_)) => {
                record.error.as_ref().is_some_and(|error| error.message.contains("a follow-up was refused"))
            }
            TaskStatus::Failed => matches!(entry.kind, Kind::Exhausted | Kind::Fatal),
            TaskStatus::Cancelled => entry.cancel != Cancel::NotAsked,
            _ => false,
        };
        if !fits {
            wrong.push(format!("{:?} of {} ended as {record:?}", entry.kind, entry.id));
        }
        let lost = record.finished_at.is_some_and(|at| self.in_loss(at.as_millis() * 1000));
        if entry.cancel == Cancel::Answered(CancelAnswer::Cancelled)
            && record.status != TaskStatus::Cancelled
            && self.losses.is_empty()
            && !lost
        {
            wrong.push(format!("{} was cancelled, and is {record:?}", entry.id));
        }
    }

    /// Each claim is accounted for.
    fn check_counts(&self, record: &ResultMessage, wrong: &mut Vec<String>) {
        let ends = record.failures + record.crashes + record.releases;
        let fits = match record.status {
            TaskStatus::Completed | TaskStatus::Skipped => record.attempts == ends + 1,
            TaskStatus::Failed => record.attempts == ends,
            // while it waited, or as the end of a run
            TaskStatus::Cancelled => record.attempts == ends || record.attempts == ends + 1,
            _ => false,
        };
        if !fits {
            wrong.push(format!("claims that nothing accounts for: {record:?}"));
        }
    }

    /// What was run is what was counted, and the result is that of the last claim.
    fn check_runs(&self, record: &ResultMessage, runs: &Runs<'_>, wrong: &mut Vec<String>) {
        let forgiven = runs.lines.iter().any(|line| self.in_loss(line.at));
        for (attempt, starts) in &runs.starts {
            if starts.len() > 1 && !forgiven {
                wrong.push(format!("claim {attempt} of {} was run {} times", record.id, starts.len()));
            }
            if *attempt > record.attempts && !forgiven {
                wrong.push(format!("claim {attempt} of {} was run and not counted: {record:?}", record.id));
            }
        }
        if matches!(record.status, TaskStatus::Completed | TaskStatus::Skipped) {
            let last = record.attempts;
            if !(runs.starts.contains_key(&last) && runs.ends.contains(&last)) {
                wrong.push(format!("{} ended without a run: {record:?}", record.id));
            }
        }
        if record.status == TaskStatus::Completed {
            let result: Option<u32> = record.result.as_deref().and_then(|bytes| decode(bytes).ok());
            if result != Some(record.attempts) {
                wrong.push(format!("the result {result:?} is not that of the last claim: {record:?}"));
            }
        }
        // who is alive is never robbed
        let died = |starts: &Vec<(u64, u32)>| starts.iter().any(|(_, pid)| self.victims.contains(pid));
        let by_victims = runs.starts.values().filter(|starts| died(starts)).count() as u32;
        let never_begun = record.attempts.saturating_sub(runs.starts.len() as u32);
        if record.crashes > by_victims + never_begun && !forgiven {
            wrong.push(format!("taken from a live worker: {record:?}, {:?}", runs.lines));
        }
        if record.crashes > 0 && self.victims.is_empty() && !forgiven {
            wrong.push(format!("no process died, and it crashed: {record:?}"));
        }
    }

    /// What was acknowledged before another was sent is started before it, within one priority.
    fn check_order(&self, wrong: &mut Vec<String>) {
        let mut before: BTreeMap<(usize, u8), (Timestamp, &str)> = BTreeMap::new();
        let mut batch_of: BTreeMap<(usize, u8), (usize, Timestamp, &str)> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| !entry.delayed && entry.acked.is_some()) {
            let Some(record) = self.records.get(&entry.id) else { continue };
            let (Some(started), 1) = (record.started_at, record.attempts) else { continue };
            let line = (entry.app, entry.priority);
            // the last of the batch before this one
            let current = batch_of.entry(line).or_insert((entry.batch, started, &entry.id));
            if current.0 != entry.batch {
                let past = before.entry(line).or_insert((current.1, current.2));
                if current.1 > past.0 {
                    *past = (current.1, current.2);
                }
                *current = (entry.batch, started, &entry.id);
            } else if started > current.1 {
                (current.1, current.2) = (started, &entry.id);
            }
            if let Some((last, other)) = before.get(&line).filter(|(last, _)| *last > started) {
                wrong.push(format!(
                    "{} was acknowledged before {} was sent, and started {:?} after it",
                    other,
                    entry.id,
                    last.since(started)
                ));
            }
        }
    }

    /// Tasks that no app enqueued are the follow-ups of those that did.
    fn check_follow_ups(&self, wrong: &mut Vec<String>) {
        let ids: BTreeSet<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        let found = self.records.keys().filter(|id| !ids.contains(id.as_str())).count();
        let (mut least, mut most) = (0, 0);
        for entry in self.entries {
            let Kind::Parent(children) = entry.kind else { continue };
            let Some(record) = self.records.get(&entry.id) else { continue };
            most += children as usize;
            if record.status == TaskStatus::Completed {
                least += children as usize;
            }
        }
        if !(least..=most).contains(&found) && self.losses.is_empty() {
            wrong.push(format!("{found} follow-ups, not {least} to {most}"));
        }
    }

    /// The counters say what the records say.
    fn check_totals(&self, wrong: &mut Vec<String>) {
        let (stats, totals) = (self.stats, &self.stats.totals);
        let count = |status| self.records.values().filter(|record| record.status == status).count() as u64;
        for status in TaskStatus::ALL {
            if stats.count(status) != count(status) {
                wrong.push(format!(
                    "{} are {status}, and {} are counted",
                    count(status),
                    stats.count(status)
                ));
            }
        }
        let cancelled = count(TaskStatus::Cancelled);
        let failed = self.records.values().filter(|record| {
            let crashed = record.error.as_ref().is_some_and(|error| error.kind == FailureKind::Crashed);
            record.status == TaskStatus::Failed && !crashed
        });
        let sum =
            |of: fn(&ResultMessage) -> u32| self.records.values().map(|r| u64::from(of(r))).sum::<u64>();
        let retries = sum(|record| record.failures) - failed.count() as u64;
        // what is counted, how many records there are of it, and how many less may be counted: an attempt that a cancel
        // ended is no retry and no release
        for (what, counted, recorded, less) in [
            ("enqueued", totals.enqueued, self.records.len() as u64, 0),
            ("COMPLETED", totals.completed, count(TaskStatus::Completed), 0),
            ("FAILED", totals.failed, count(TaskStatus::Failed), 0),
            ("SKIPPED", totals.skipped, count(TaskStatus::Skipped), 0),
            ("CANCELLED", totals.cancelled, cancelled, 0),
            ("retried", totals.retried, retries, cancelled),
            ("released", totals.released, sum(|record| record.releases), cancelled),
            (
                "recovered",
                totals.recovered_released + totals.recovered_lease + totals.recovered_lost,
                sum(|record| record.crashes),
                0,
            ),
        ] {
            if counted > recorded || counted + less < recorded {
                wrong.push(format!("{recorded} tasks or runs were {what}, and {counted} are counted"));
            }
        }
    }
}
