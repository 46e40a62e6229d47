//! What was acknowledged is there, and became what it had to.

use std::collections::{BTreeMap, BTreeSet};

use task_core::{CancelAnswer, FailureKind, ResultMessage, TaskStatus};

use super::{History, runs::Runs};
use crate::entry::{Cancel, Entry, Kind, Replay, Where};

/// Times are told in whole milliseconds.
const ROUNDED: u64 = 2000;
/// So much earlier than it was may a client say that a task ended, which reckons the server's time.
const RECKONED: u64 = 300_000;

fn is(record: &ResultMessage, kind: FailureKind) -> bool {
    record.error.as_ref().is_some_and(|error| error.kind == kind)
}

fn says(record: &ResultMessage, what: &str) -> bool {
    record.error.as_ref().is_some_and(|error| error.message.contains(what))
}

impl Entry {
    /// Whether it ended since it had not started in time.
    fn expired(&self, record: &ResultMessage) -> bool {
        self.expires.is_some() && record.status == TaskStatus::Cancelled && is(record, FailureKind::Expired)
    }
}

impl History<'_> {
    pub(super) fn check_entry(
        &self,
        entry: &Entry,
        entries: &BTreeMap<&str, &Entry>,
        runs: &BTreeMap<&str, Runs<'_>>,
        wrong: &mut Vec<String>,
    ) {
        if let Some(owner) = &entry.duplicate_of {
            return self.check_duplicate(entry, owner, entries, wrong);
        }
        let Some(record) = self.records.get(&entry.id) else {
            if entry.acked.is_some_and(|acked| !self.in_loss(acked)) {
                wrong.push(format!("lost: {entry:?}"));
            }
            return;
        };
        let crashed = is(record, FailureKind::Crashed);
        let replayed = matches!(entry.replay, Replay::Of(_)) && self.losses.is_empty();
        let fits = match record.status {
            TaskStatus::Completed => !matches!(entry.kind, Kind::Exhausted | Kind::Fatal | Kind::Skipped),
            TaskStatus::Skipped => entry.kind == Kind::Skipped,
            TaskStatus::Failed if crashed => record.crashes > 3,
            TaskStatus::Failed if matches!(entry.kind, Kind::Parent(_)) => {
                says(record, "a follow-up was refused")
            }
            TaskStatus::Failed => matches!(entry.kind, Kind::Exhausted | Kind::Fatal),
            TaskStatus::Cancelled => !replayed && (entry.cancel != Cancel::NotAsked || entry.expired(record)),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{:?} of {} ended as {record:?}", entry.kind, entry.id));
        }
        if !self.losses.is_empty() {
            return;
        }
        if entry.cancel == Cancel::Answered(CancelAnswer::Cancelled)
            && entry.replay == Replay::NotAsked
            && record.status != TaskStatus::Cancelled
        {
            wrong.push(format!("{} was cancelled, and is {record:?}", entry.id));
        }
        self.check_replay(entry, record, wrong);
        if self.clock_is_true {
            self.check_times(entry, record, runs.contains_key(entry.id.as_str()), wrong);
        }
    }

    /// One that was replayed runs once more, and none else does.
    fn check_replay(&self, entry: &Entry, record: &ResultMessage, wrong: &mut Vec<String>) {
        let fits = match &entry.replay {
            Replay::NotAsked => record.generation == 0,
            Replay::Of(before) => {
                record.generation == before.generation + 1 && record.attempts > before.attempts
            }
            Replay::Unknown => true,
        };
        if !fits {
            wrong.push(format!("{:?} was the replay of {record:?}", entry.replay));
        }
    }

    /// It starts when it is due and before it expires, or it expires then and was never run.
    fn check_times(&self, entry: &Entry, record: &ResultMessage, was_run: bool, wrong: &mut Vec<String>) {
        let micros = |time: std::time::Duration| time.as_micros() as u64;
        let started = record.started_at.filter(|_| record.attempts == 1 && record.generation == 0);
        if let (Some(started), Some(delay)) = (started, entry.delay)
            && self.at(started) + ROUNDED < entry.sent + micros(delay)
        {
            wrong.push(format!("started before it was due: {entry:?}, {record:?}"));
        }
        let Some(expires) = entry.expires else { return };
        if let (Some(started), Some(acked)) = (started, entry.acked)
            && self.at(started) > acked + micros(expires) + ROUNDED
        {
            wrong.push(format!("started after it had expired: {entry:?}, {record:?}"));
        }
        if entry.expired(record) {
            let early =
                record.finished_at.is_some_and(|at| self.at(at) + ROUNDED < entry.sent + micros(expires));
            if early || record.attempts > 0 || was_run {
                wrong.push(format!("was run or had time yet, and expired: {entry:?}, {record:?}"));
            }
        }
    }

    /// The key was held by another, which is live.
    fn check_duplicate(
        &self,
        entry: &Entry,
        owner: &str,
        entries: &BTreeMap<&str, &Entry>,
        wrong: &mut Vec<String>,
    ) {
        if !self.losses.is_empty() {
            return;
        }
        if self.records.contains_key(&entry.id) {
            wrong.push(format!("the key of {} was held by {owner}, and both were taken in", entry.id));
        }
        let lock = |entry: &Entry| (entry.queue, entry.unique);
        let holds = entries.get(owner).is_some_and(|owner| lock(owner) == lock(entry));
        let Some(record) = self.records.get(owner).filter(|_| holds && entry.unique.is_some()) else {
            wrong.push(format!("{owner} never held the key that kept {entry:?} out"));
            return;
        };
        let ended = record.finished_at.map_or(0, |at| self.at(at));
        if self.clock_is_true && ended + RECKONED < entry.sent {
            wrong.push(format!("{owner} had ended, and still held the key of {entry:?}: {record:?}"));
        }
    }

    /// Of the tasks with one key in a named queue, one is live at a time.
    pub(super) fn check_keys(&self, wrong: &mut Vec<String>) {
        let mut holders: BTreeMap<_, Vec<(u64, u64, &str)>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.duplicate_of.is_none()) {
            let Some((key, acked)) = entry.unique.zip(entry.acked) else { continue };
            let ended = self.records.get(&entry.id).and_then(|record| record.finished_at);
            let Some(ended) = ended else { continue };
            holders.entry((entry.queue, key)).or_default().push((acked, self.at(ended), &entry.id));
        }
        for (key, mut holders) in holders {
            holders.sort_unstable();
            for pair in holders.windows(2) {
                let [(first, ended, one), (second, other_ended, other)] = pair else { continue };
                if second + ROUNDED < *ended && first + ROUNDED < *other_ended {
                    wrong.push(format!("{one} and {other} held {key:?} at the same time"));
                }
            }
        }
    }

    /// Tasks that no app enqueued are the follow-ups of those that did.
    pub(super) fn check_follow_ups(&self, wrong: &mut Vec<String>) {
        let ids: BTreeSet<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        let found = self.records.keys().filter(|id| !ids.contains(id.as_str())).count();
        let (mut least, mut most) = (0, 0);
        for entry in self.entries.iter().filter(|entry| entry.queue != Where::Commands) {
            let Kind::Parent(children) = entry.kind else { continue };
            let Some(record) = self.records.get(&entry.id) else { continue };
            // a replay has follow-ups of its own
            most += children as usize * if entry.replay == Replay::NotAsked { 1 } else { 2 };
            if record.status == TaskStatus::Completed {
                least += children as usize;
            }
        }
        if !(least..=most).contains(&found) && self.losses.is_empty() {
            wrong.push(format!("{found} follow-ups, not {least} to {most}"));
        }
    }
}
