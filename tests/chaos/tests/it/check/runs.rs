//! What was run is what was counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chaos::{Event, Line};
use task_core::{ResultMessage, TaskStatus, decode};

use super::History;
use crate::entry::Replay;

/// How long after its worker was killed a command may still be ending.
const ENDING: u64 = 2_000_000;

/// The runs of a task beyond its first, by their counted causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// How many tasks they were of.
    pub(crate) tasks: u64,
    pub(crate) failures: u64,
    pub(crate) crashes: u64,
    pub(crate) releases: u64,
    pub(crate) replays: u64,
    /// Of a claim that a server forgot which lost what it had acknowledged.
    pub(crate) forgotten: u64,
}

impl Again {
    pub(crate) fn add(&mut self, other: Self) {
        self.tasks += other.tasks;
        self.failures += other.failures;
        self.crashes += other.crashes;
        self.releases += other.releases;
        self.replays += other.replays;
        self.forgotten += other.forgotten;
    }
}

/// The runs of one task.
#[derive(Default)]
pub(super) struct Runs<'a> {
    /// Claim → its starts: when, and where.
    pub(super) starts: BTreeMap<u32, Vec<(u64, u32)>>,
    ends: BTreeSet<u32>,
    pub(super) lines: Vec<&'a Line>,
}

impl History<'_> {
    pub(super) fn runs(&self) -> BTreeMap<&str, Runs<'_>> {
        let mut runs: BTreeMap<&str, Runs<'_>> = BTreeMap::new();
        for line in self.lines {
            let of = runs.entry(&line.id).or_default();
            of.lines.push(line);
            match line.event {
                Event::Start => of.starts.entry(line.attempt).or_default().push((line.at, line.pid)),
                Event::End => drop(of.ends.insert(line.attempt)),
            }
        }
        runs
    }

    /// Runs beyond the first of each task.
    pub(crate) fn again(&self) -> Again {
        let befores: HashMap<&str, &ResultMessage> = self
            .entries
            .iter()
            .filter_map(|entry| match &entry.replay {
                Replay::Of(before) => Some((entry.id.as_str(), &**before)),
                _ => None,
            })
            .collect();
        let mut again = Again::default();
        for (id, runs) in self.runs() {
            let Some(record) = self.records.get(id) else { continue };
            let before = befores.get(id);
            let starts: usize = runs.starts.values().map(Vec::len).sum();
            again.tasks += u64::from(starts > 1);
            again.forgotten += (starts - runs.starts.len()) as u64;
            let mut beyond = (runs.starts.len() as u64).saturating_sub(1);
            // a run that a replay caused comes after one that ended, so its cause is none of the others
            for (count, of) in [
                (&mut again.replays, record.generation),
                (&mut again.failures, record.failures + before.map_or(0, |before| before.failures)),
                (&mut again.crashes, record.crashes + before.map_or(0, |before| before.crashes)),
                (&mut again.releases, record.releases),
            ] {
                let these = beyond.min(of.into());
                *count += these;
                beyond -= these;
            }
        }
        again
    }

    /// Each claim is accounted for.
    pub(super) fn check_counts(&self, record: &ResultMessage, replay: &Replay, wrong: &mut Vec<String>) {
        let (claims, given_back) = match replay {
            Replay::NotAsked => (0, 0),
            Replay::Of(before) => (before.attempts, before.releases),
            Replay::Unknown => return,
        };
        let claims = i64::from(record.attempts) - i64::from(claims);
        let ends =
            i64::from(record.failures + record.crashes) + i64::from(record.releases) - i64::from(given_back);
        let fits = match record.status {
            TaskStatus::Completed | TaskStatus::Skipped => claims == ends + 1,
            TaskStatus::Failed => claims == ends,
            // while it waited, or as the end of a run
            TaskStatus::Cancelled => claims == ends || claims == ends + 1,
            _ => false,
        };
        if !fits && (self.losses.is_empty() || *replay == Replay::NotAsked) {
            wrong.push(format!("claims that nothing accounts for: {record:?}, {replay:?}"));
        }
    }

    /// What was run is what was counted, and the result is that of the last claim.
    pub(super) fn check_runs(&self, record: &ResultMessage, runs: &Runs<'_>, wrong: &mut Vec<String>) {
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
        let is_victim = |pid: u32| self.victims.iter().any(|victim| victim.pid == pid);
        let died = |starts: &Vec<(u64, u32)>| {
            starts.iter().any(|(_, pid)| is_victim(*pid) || self.heirs.contains(pid))
        };
        let by_victims = runs.starts.values().filter(|starts| died(starts)).count() as u32;
        let never_begun = record.attempts.saturating_sub(runs.starts.len() as u32);
        if record.crashes > by_victims + never_begun && !forgiven {
            wrong.push(format!("taken from a live worker: {record:?}, {:?}", runs.lines));
        }
        if record.crashes > 0 && self.victims.is_empty() && !forgiven {
            wrong.push(format!("no process died, and it crashed: {record:?}"));
        }
    }

    /// A command does not outlive its worker.
    pub(super) fn check_dead_runs(&self, wrong: &mut Vec<String>) {
        let killed: HashMap<u32, u64> =
            self.victims.iter().filter_map(|victim| Some((victim.pid, victim.killed?))).collect();
        for line in self.lines {
            if let Some(killed) = killed.get(&line.pid).filter(|killed| line.at > **killed + ENDING) {
                let later = (line.at - killed) / 1000;
                wrong.push(format!("{line} is of a run that outlived its worker by {later} ms"));
            }
        }
    }
}
