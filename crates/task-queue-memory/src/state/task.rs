use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use task_core::{Name, Outcome, ResultMessage, TaskId, TaskMessage, TaskStatus, Timestamp, Token};

use super::{
    State, names,
    places::{End, Place, TimeKey},
};

/// A task as the queue has it. Behind boxes, so that a remembered id takes little room in the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Task {
    Live(Box<Live>),
    Final(Box<Final>),
    /// Its result is dropped, its id is remembered.
    Gone(Box<Gone>),
}

/// What the queue needs of a task's message, and the message as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) stored: Bytes,
    pub(super) priority: u8,
    pub(super) max_crashes: u8,
    pub(super) retention: Option<Duration>,
    /// The unique key that it holds while it is live.
    pub(super) lock: Option<String>,
}

impl Terms {
    pub(super) fn new(message: &TaskMessage) -> Self {
        let stored: Bytes = message.to_record().into();
        drop(stored.clone()); // what is shared with claims is made so here, where nobody waits for it
        Self {
            stored,
            priority: message.priority,
            max_crashes: message.max_crashes,
            retention: message.retention,
            lock: message.lock(),
        }
    }
}

/// A settlement that was carried out, as far as it takes to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    token: Token,
    kind: Kind,
}

/// [`Outcome`] without what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Completed,
    Skipped,
    Cancelled,
    Retry,
    Failed,
    Released,
    NameUnknown,
}

impl Ended {
    pub(super) fn new(token: Token, outcome: &Outcome) -> Self {
        let kind = match outcome {
            Outcome::Completed { .. } => Kind::Completed,
            Outcome::Skipped { .. } => Kind::Skipped,
            Outcome::Cancelled { .. } => Kind::Cancelled,
            Outcome::Retry { .. } => Kind::Retry,
            Outcome::Failed { .. } => Kind::Failed,
            Outcome::Released => Kind::Released,
            Outcome::NameUnknown => Kind::NameUnknown,
        };
        Self { token, kind }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Live {
    pub(super) terms: Terms,
    #[serde(with = "super::snapshot::stored")]
    pub(super) record: ResultMessage,
    pub(super) place: Place,
    /// When it is cancelled unless it has started.
    pub(super) expires: Option<Timestamp>,
    /// Its entry among those that expire, while it has one.
    pub(super) expiry: Option<TimeKey>,
    /// Since when it could start, while it is ready.
    pub(super) since: Timestamp,
    /// The attempt that its worker settled, until the next event.
    pub(super) settled: Option<Ended>,
}

impl Live {
    /// Its worker died under it twice or more: it runs alone.
    pub(super) fn is_suspect(&self) -> bool {
        self.record.crashes >= 2
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.record.attempts == 0 && self.expires.is_some_and(|at| at <= now)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Final {
    /// [`ResultMessage::to_record`].
    pub(super) record: Bytes,
    pub(super) task: Name,
    pub(super) status: TaskStatus,
    pub(super) fingerprint: u64,
    /// Kept of a task that may be replayed, up to the cap.
    pub(super) terms: Option<Terms>,
    pub(super) settled: Option<Ended>,
    /// Its place in the order in which tasks ended.
    pub(super) order: u64,
    pub(super) finished: Timestamp,
    /// When its result is dropped.
    pub(super) ends: TimeKey,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gone {
    pub(super) status: TaskStatus,
    pub(super) fingerprint: u64,
    pub(super) settled: Option<Ended>,
    /// When its id is forgotten.
    pub(super) ends: TimeKey,
}

impl Task {
    pub(super) fn status(&self) -> TaskStatus {
        match self {
            Self::Live(live) => live.record.status,
            Self::Final(done) => done.status,
            Self::Gone(gone) => gone.status,
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        match self {
            Self::Live(live) => live.record.fingerprint,
            Self::Final(done) => done.fingerprint,
            Self::Gone(gone) => gone.fingerprint,
        }
    }

    pub(super) fn settled(&self) -> Option<Ended> {
        match self {
            Self::Live(live) => live.settled,
            Self::Final(done) => done.settled,
            Self::Gone(gone) => gone.settled,
        }
    }
}

impl State {
    /// Looks at what is to be worked on, one by one, from now on. Tasks lie far apart in memory, and a processor fetches several
    /// at a time where nothing else is done between two looks.
    pub(super) fn touch<'a>(&self, ids: impl Iterator<Item = &'a TaskId>) {
        let fetched = ids
            .filter_map(|id| self.live(id))
            .filter(|live| live.record.crashes == 0 && live.expires.is_none());
        std::hint::black_box(fetched.count());
    }

    pub(super) fn live(&self, id: &TaskId) -> Option<&Live> {
        match self.tasks.get(id) {
            Some(Task::Live(live)) => Some(live),
            _ => None,
        }
    }

    pub(super) fn live_mut(&mut self, id: &TaskId) -> Option<&mut Live> {
        match self.tasks.get_mut(id) {
            Some(Task::Live(live)) => Some(live),
            _ => None,
        }
    }

    /// Takes a live task's entries out of wherever it lies, so that it may come into another place, or end.
    pub(super) fn take(&mut self, id: &TaskId) -> Option<&mut Live> {
        let Self { tasks, places, unknown, effects, emptying, .. } = self;
        let Some(Task::Live(live)) = tasks.get_mut(id) else { return None };
        if let Some(key) = live.expiry.take() {
            places.expiring.remove(&key);
        }
        match std::mem::replace(&mut live.place, Place::Nowhere) {
            Place::Ready(key) => places.ready.remove(key),
            Place::Suspect(key) => {
                effects.told.extend(*emptying); // it may claim again
                places.suspects.remove(key);
            }
            Place::Unknown(key) => {
                effects.told.extend(emptying.filter(|_| live.is_suspect()));
                names::leave(unknown, live, key);
            }
            Place::Delayed(key) => drop(places.delayed.remove(&key)),
            Place::Retry(key) => drop(places.retries.remove(&key)),
            Place::Running(held) => places.running.remove(held),
            Place::Nowhere => {}
        }
        Some(live)
    }

    /// The one way into ready, or among the suspects, for a task that lies nowhere: it also wakes.
    pub(super) fn make_ready(&mut self, id: &TaskId, end: End, now: Timestamp) {
        let Self { tasks, places, effects, .. } = self;
        let Some(Task::Live(live)) = tasks.get_mut(id) else { return };
        live.since = now;
        if live.is_suspect() {
            // a place was reserved among the others
            let end = if end == End::Back { End::Back } else { End::Front };
            live.place = Place::Suspect(places.suspects.push(end, live.terms.priority, id.clone()));
            effects.changed = true;
        } else {
            live.place = Place::Ready(places.ready.push(end, live.terms.priority, id.clone()));
            effects.ready = true;
        }
        places.watch_expiry(id, live);
    }
}
