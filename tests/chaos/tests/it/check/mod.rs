//! What must hold of a run, whatever went wrong in it.

mod entry;
mod order;
mod runs;
mod totals;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use chaos::Line;
use task_core::{QueueStats, ResultMessage, Timestamp};

pub(crate) use self::runs::Again;
use self::runs::Runs;
use crate::{
    entry::{Entry, Replay},
    fleet::Victim,
};

/// Everything that is known of a run at its end.
pub(crate) struct History<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) lines: &'a [Line],
    pub(crate) records: &'a BTreeMap<String, ResultMessage>,
    /// What waiting apps were told when a task became final, and when.
    pub(crate) seen: &'a [(u64, ResultMessage)],
    /// Of each named queue.
    pub(crate) stats: &'a [QueueStats],
    pub(crate) victims: &'a [Victim],
    /// Processes that inherit what a worker leaves behind which dies.
    pub(crate) heirs: &'a [u32],
    /// When the server may have lost what it acknowledged: only what happened outside of it must hold.
    pub(crate) losses: &'a [Range<u64>],
    /// Whether the server's clock was left alone.
    pub(crate) clock_is_true: bool,
    /// So many microseconds is the server's clock ahead of the ledger's.
    pub(crate) epoch: u64,
}

impl History<'_> {
    /// Each promise that was broken, in words; none if all was kept.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let runs = self.runs();
        let entries: BTreeMap<&str, &Entry> =
            self.entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
        for entry in self.entries {
            self.check_entry(entry, &entries, &runs, &mut wrong);
        }
        let none = Runs::default();
        for (id, record) in self.records {
            let replay = entries.get(id.as_str()).map_or(&Replay::NotAsked, |entry| &entry.replay);
            self.check_counts(record, replay, &mut wrong);
            self.check_runs(record, runs.get(id.as_str()).unwrap_or(&none), &mut wrong);
        }
        self.check_unknown_runs(&runs, &mut wrong);
        self.check_dead_runs(&mut wrong);
        self.check_seen(&mut wrong);
        if self.losses.is_empty() && self.clock_is_true {
            self.check_order(&mut wrong);
            self.check_keys(&mut wrong);
        }
        self.check_follow_ups(&mut wrong);
        for stats in self.stats {
            self.check_totals(stats, &entries, &mut wrong);
        }
        wrong
    }

    fn in_loss(&self, at: u64) -> bool {
        self.losses.iter().any(|loss| loss.contains(&at))
    }

    /// A time of the server, as the ledger says it.
    fn at(&self, time: Timestamp) -> u64 {
        (time.as_millis() * 1000).saturating_sub(self.epoch)
    }

    /// What was given to a worker before it was lost may be run after that, too.
    fn check_unknown_runs(&self, runs: &BTreeMap<&str, Runs<'_>>, wrong: &mut Vec<String>) {
        let acked_in_loss = |entry: &&Entry| entry.acked.is_some_and(|acked| self.in_loss(acked));
        let lost: BTreeSet<&str> =
            self.entries.iter().filter(acked_in_loss).map(|entry| entry.id.as_str()).collect();
        for (id, runs) in runs {
            let forgiven = lost.contains(id) || runs.lines.iter().any(|line| self.in_loss(line.at));
            if !self.records.contains_key(*id) && !forgiven {
                wrong.push(format!("{id} was run, and the queue doesn't know it"));
            }
        }
    }

    fn check_seen(&self, wrong: &mut Vec<String>) {
        for (at, seen) in self.seen {
            let now = self.records.get(&seen.id.to_string());
            let same = |now: &ResultMessage| {
                (now.status, &now.result, now.attempts) == (seen.status, &seen.result, seen.attempts)
            };
            if !now.is_some_and(same) && !self.in_loss(*at) {
                wrong.push(format!("a result was overwritten: {seen:?} became {now:?}"));
            }
        }
    }
}
