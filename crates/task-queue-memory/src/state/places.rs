//! Where live tasks lie: ordered maps, out of which an entry is removed in logarithmic time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map},
};

use serde::{Deserialize, Serialize};
use task_core::{Incarnation, TaskId, Timestamp, Token};

/// A moment, and a number that tells entries of one moment apart and keeps their order.
pub(super) type TimeKey = (Timestamp, u64);
/// Tasks by the moment when something is due.
pub(super) type Schedule = BTreeMap<TimeKey, TaskId>;
/// The highest priority first, first in first out within one.
pub(super) type LaneKey = (Reverse<u8>, i64);

/// A running task's place among those of its worker: which claim brought it, and as which of that claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) worker: Incarnation,
    pub(super) claim: u64,
    pub(super) nth: u32,
}

impl Held {
    pub(super) fn token(self) -> Token {
        Token::new(self.worker, self.claim)
    }
}

/// In which structure a live task lies, and under which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    Ready(LaneKey),
    Suspect(LaneKey),
    /// In the list of its name.
    Unknown(LaneKey),
    /// PENDING, and its time has not come.
    Delayed(TimeKey),
    Retry(TimeKey),
    Running(Held),
    /// On its way from one place to another, within one request.
    Nowhere,
}

/// At which end of its priority a task comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Front,
    Back,
    /// At the front, where [`Lane::reserve`] has kept room.
    Reserved(i64),
}

/// Tasks that wait for a worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lane {
    entries: BTreeMap<LaneKey, TaskId>,
    pushed: i64,
}

impl Lane {
    pub(super) fn push(&mut self, end: End, priority: u8, id: TaskId) -> LaneKey {
        self.pushed += 1;
        let place = match end {
            End::Back => self.pushed,
            End::Front => -self.pushed,
            End::Reserved(place) => place,
        };
        let key = (Reverse(priority), place);
        self.entries.insert(key, id);
        key
    }

    /// Keeps room at the front for so many; answers the first place.
    pub(super) fn reserve(&mut self, places: usize) -> i64 {
        self.pushed += i64::try_from(places).unwrap_or(0);
        -self.pushed
    }

    pub(super) fn remove(&mut self, key: LaneKey) {
        self.entries.remove(&key);
    }

    pub(super) fn first(&self) -> Option<&TaskId> {
        self.entries.first_key_value().map(|(_, id)| id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many lie before this key, counted up to `most`.
    pub(super) fn before(&self, key: LaneKey, most: usize) -> usize {
        self.entries.range(..key).take(most).count()
    }

    pub(super) fn after(&self, key: Option<LaneKey>) -> btree_map::Range<'_, LaneKey, TaskId> {
        use std::ops::Bound;
        self.entries.range((key.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
    }

    /// Of each priority, the first that was given back and the first that came in: the longest wait is one of these.
    pub(super) fn oldest(&self) -> impl Iterator<Item = &TaskId> {
        let mut next = Some((Reverse(u8::MAX), i64::MIN));
        std::iter::from_fn(move || {
            let (key, id) = self.entries.range(next?..).next()?;
            let lower = || key.0.0.checked_sub(1).map(|lower| (Reverse(lower), i64::MIN));
            next = if key.1 < 0 { Some((key.0, 0)) } else { lower() };
            Some(id)
        })
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Places {
    pub(super) ready: Lane,
    pub(super) suspects: Lane,
    pub(super) delayed: Schedule,
    pub(super) retries: Schedule,
    pub(super) running: BTreeMap<Held, TaskId>,
    /// Those that have not started and expire; each lies somewhere else, too.
    pub(super) expiring: Schedule,
    numbered: u64,
}

impl Places {
    /// A key for this moment that no other entry has.
    pub(super) fn key(&mut self, at: Timestamp) -> TimeKey {
        self.numbered += 1;
        (at, self.numbered)
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let firsts = [self.delayed.first_key_value(), self.retries.first_key_value()];
        firsts.into_iter().flatten().map(|(key, _)| key.0).min()
    }

    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiring.first_key_value().map(|(key, _)| key.0)
    }

    /// The task whose time came first; the caller takes it out of its place.
    pub(super) fn pop_due(&self, now: Timestamp) -> Option<TaskId> {
        let firsts = [self.delayed.first_key_value(), self.retries.first_key_value()];
        let (key, id) = firsts.into_iter().flatten().min_by_key(|(key, _)| **key)?;
        (key.0 <= now).then(|| id.clone())
    }

    /// What a worker holds, in the order in which it was given.
    pub(super) fn held(&self, worker: Incarnation) -> btree_map::Range<'_, Held, TaskId> {
        let first = Held { worker, claim: 0, nth: 0 };
        self.running.range(first..=Held { claim: u64::MAX, nth: u32::MAX, ..first })
    }
}
