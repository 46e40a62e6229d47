//! Where live tasks lie: sorted maps, out of which an entry is removed in logarithmic time.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use task_core::{Incarnation, TaskId, Timestamp, Token};

use super::ordered::{Groups, Line};

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

    fn pair(self) -> (Token, u32) {
        (self.token(), self.nth)
    }

    fn of((token, nth): (Token, u32)) -> Self {
        Self { worker: token.worker, claim: token.claim, nth }
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
    entries: Groups<Reverse<u8>, i64>,
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
        self.entries.remove(key);
    }

    pub(super) fn first(&self) -> Option<&TaskId> {
        self.entries.first()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many lie before this key, counted up to `most`.
    pub(super) fn before(&self, key: LaneKey, most: usize) -> usize {
        self.entries.before(key, most)
    }

    pub(super) fn after(&self, key: Option<LaneKey>) -> impl Iterator<Item = (LaneKey, &TaskId)> {
        self.entries.after(key)
    }

    /// Of each priority, the first that was given back and the first that came in: the longest wait is one of these.
    pub(super) fn oldest(&self) -> impl Iterator<Item = &TaskId> {
        let came_in = |line| {
            let line: &Line<i64> = line;
            line.range(0..).next().map(|(_, id)| id)
        };
        self.entries.lines().flat_map(move |line| [line.first(), came_in(line)]).flatten()
    }
}

/// Tasks that are with workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(Groups<Token, u32>);

impl Running {
    pub(super) fn insert(&mut self, held: Held, id: TaskId) {
        self.0.insert(held.pair(), id);
    }

    pub(super) fn remove(&mut self, held: Held) {
        self.0.remove(held.pair());
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What a worker holds, in the order in which it was given.
    pub(super) fn of(&self, worker: Incarnation) -> impl DoubleEndedIterator<Item = (Held, &TaskId)> {
        let claims = Token::new(worker, 0)..=Token::new(worker, u64::MAX);
        self.0.between(claims).map(|(pair, id)| (Held::of(pair), id))
    }

    pub(super) fn after(&self, held: Option<Held>) -> impl Iterator<Item = (Held, &TaskId)> {
        self.0.after(held.map(Held::pair)).map(|(pair, id)| (Held::of(pair), id))
    }
}

/// As a map.
impl Serialize for Running {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.after(None).collect::<BTreeMap<_, _>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Running {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut running = Self::default();
        for (held, id) in BTreeMap::deserialize(deserializer)? {
            running.insert(held, id);
        }
        Ok(running)
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Places {
    pub(super) ready: Lane,
    pub(super) suspects: Lane,
    pub(super) delayed: Schedule,
    pub(super) retries: Schedule,
    pub(super) running: Running,
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
}
