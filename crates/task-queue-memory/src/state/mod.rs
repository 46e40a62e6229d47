//! One named queue as a pure state machine: a request and a time in, a reply and [`Effects`] out. No I/O, no clock, no
//! waiting, so that it can be tested step by step, and that a durable backend can put a journal around it.
//!
//! A journal keeps each request that changes the state, as its [`Command`], with the time at which it was carried out. All of
//! them again lead to the same state, and a state can be written down as well, so that a journal need not begin at the
//! beginning. The example `custom-backend` is a whole backend made so.
//!
//! ```
//! use task_core::{Batch, Claim, Enqueued, Incarnation, Name, Registration, TaskId, TaskMessage, TaskOptions, Timestamp};
//! use task_queue_memory::state::{Command, Enqueue, Limits, Recorded, State};
//!
//! # fn main() -> Result<(), task_core::BoxError> {
//! let (queue, start) = (Name::DEFAULT_QUEUE, Timestamp::from_millis(1_764_000_000_000));
//! let mut state = State::new(queue.clone(), Limits::default(), start);
//!
//! // first into the journal, then carried out, then answered
//! let message = TaskMessage::new(TaskId::new(), "mail", vec![0xc0], TaskOptions::default())?;
//! let enqueue = Enqueue::new(Batch::new(queue.clone(), vec![message]), start)?;
//! let journal = vec![(start, rmp_serde::to_vec(&enqueue.command())?)];
//! assert_eq!(state.apply(enqueue, start), [Enqueued::Queued]);
//!
//! // after a restart
//! let mut again = State::new(queue.clone(), Limits::default(), start);
//! for (time, command) in journal {
//!     again.apply(rmp_serde::from_slice::<Command>(&command)?, time);
//! }
//! assert_eq!(rmp_serde::to_vec(&again)?, rmp_serde::to_vec(&state)?);
//!
//! let worker = Registration::new("worker_1", ["mail".parse()?]);
//! let claim = Claim::new(queue, Incarnation::new(), worker.into(), 1);
//! assert_eq!(again.apply(claim, start).unwrap().tasks.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! What holds between two requests:
//! - a live task lies in exactly one place, and says in which; so entries are removed exactly and
//!   none is ever stale;
//! - a token is current while its task is in `running` under it and its worker is open: to close a worker is to remove
//!   it from `workers`, and what it held is given back in bounded steps afterwards;
//! - a unique key is in `locks` exactly while its task is live;
//! - nothing that decides iterates over a hash map, so the same requests at the same times give the same replies.

mod cancel;
mod claim;
mod closed;
mod command;
mod control;
mod enqueue;
mod expiry;
mod explain;
mod heartbeat;
mod lease;
mod list;
mod look;
mod names;
mod ordered;
mod places;
mod rate;
mod replay;
mod retention;
mod settle;
mod snapshot;
mod stats;
mod suspects;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use task_core::{Incarnation, Name, TaskId, Timestamp, Totals};

pub use self::{
    cancel::Cancel,
    claim::{Grant, Granted, WorkerClosed},
    command::{Command, Recorded},
    control::{Purge, SetLimit, SetPaused, Tell},
    enqueue::{Enqueue, NewTask},
    heartbeat::{Beat, BeatReply},
    lease::Release,
    list::Listed,
    look::Stored,
    replay::{Delete, Replay},
    settle::{End, Settle, Settled},
};
use self::{
    closed::Closed,
    lease::{Dying, Worker},
    names::UnknownName,
    places::Places,
    rate::Rate,
    retention::Finals,
    task::Task,
};
pub(crate) use self::{
    explain::Explain,
    list::List,
    look::{Look, Message},
    stats::Stats,
};

/// What bounds a named queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The most tasks that may wait.
    pub waiting: Option<u64>,
    /// The most results kept of COMPLETED tasks.
    pub completed: usize,
    /// The most final tasks whose params are kept for a replay.
    pub replayable: usize,
}

/// Those of a [`MemoryQueue`](crate::MemoryQueue) about which nothing is said.
impl Default for Limits {
    fn default() -> Self {
        use crate::Builder;
        Self { waiting: None, completed: Builder::KEEP_COMPLETED, replayable: Builder::KEEP_REPLAYABLE }
    }
}

/// A request: plain data, carried out at once by [`State::apply`].
pub trait Apply {
    /// The answer to it.
    type Reply;
    #[doc(hidden)]
    fn apply(self, state: &mut State, now: Timestamp) -> Self::Reply;
}

/// What depends on time alone is done, some of each kind, as with every other request.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Housekeep;

impl Apply for Housekeep {
    type Reply = ();

    fn apply(self, state: &mut State, now: Timestamp) {
        state.housekeep(now);
    }
}

/// Time passes, and nothing is done about it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Tick;

impl Apply for Tick {
    type Reply = ();

    /// It does no housekeeping, so that a late sign of life may still come first.
    fn apply(self, _: &mut State, _: Timestamp) {}
}

/// Who is to be woken after a request.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// There are tasks that any worker may take: one that waits is enough, since it wakes the next.
    pub ready: bool,
    /// Something that concerns some of those that wait for tasks, so all look again.
    pub changed: bool,
    /// Tasks that became final, or were forgotten.
    pub ended: Vec<TaskId>,
    /// Workers that have something to hear.
    pub told: Vec<Incarnation>,
}

/// The most entries that one kind of housekeeping handles in one request.
const STEP: usize = 128;

/// One named queue.
///
/// Serialized, it is all that there is to know of it, to be read by a program with the same [`VERSION`](Self::VERSION);
/// two that are equal are equal bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    queue: Name,
    limits: Limits,
    /// The time of the last request.
    tick: Timestamp,
    /// Until then nobody is taken for dead, since the queue itself was away.
    grace_until: Timestamp,
    #[serde(with = "snapshot::sorted")]
    tasks: HashMap<TaskId, Task, RandomState>,
    places: Places,
    finals: Finals,
    #[serde(with = "snapshot::sorted")]
    locks: HashMap<String, TaskId>,
    workers: BTreeMap<Incarnation, Worker>,
    /// When leases end, at the earliest: a renewal leaves its entry, which is put right when its time comes.
    leases: BTreeSet<(Timestamp, Incarnation)>,
    dying: VecDeque<Dying>,
    closed: Closed,
    /// Tasks that some worker had no code for.
    unknown: BTreeMap<Name, UnknownName>,
    names_checked: Timestamp,
    /// The worker that is asked to run empty for a suspect.
    emptying: Option<Incarnation>,
    paused: bool,
    /// How many commands workers were told.
    commanded: u64,
    totals: Totals,
    enqueued: Rate,
    finished: Rate,
    #[serde(skip)]
    effects: Effects,
}

impl State {
    /// Rises with each change after which the same commands could lead to another state, or a state is written in another
    /// way. What is kept of one version is not for a program with another one.
    pub const VERSION: u32 = 2;

    /// An empty one.
    pub fn new(queue: Name, limits: Limits, now: Timestamp) -> Self {
        Self {
            queue,
            limits,
            tick: now,
            grace_until: Timestamp::default(),
            tasks: HashMap::default(),
            places: Places::default(),
            finals: Finals::default(),
            locks: HashMap::new(),
            workers: BTreeMap::new(),
            leases: BTreeSet::new(),
            dying: VecDeque::new(),
            closed: Closed::default(),
            unknown: BTreeMap::new(),
            names_checked: now,
            emptying: None,
            paused: false,
            commanded: 0,
            totals: Totals::default(),
            enqueued: Rate::default(),
            finished: Rate::default(),
            effects: Effects::default(),
        }
    }

    /// Carries out a request. `now` never goes back: an earlier time counts as that of the request before.
    pub fn apply<R: Apply>(&mut self, request: R, now: Timestamp) -> R::Reply {
        let now = now.max(self.tick);
        self.notice_outage(now);
        request.apply(self, now)
    }

    /// Who is to be woken since this was asked last.
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// Whether another with these limits could take its place: it never had a task, nothing was said of it, and for an hour
    /// no worker was heard of.
    pub(crate) fn is_blank(&self, limits: Limits, now: Timestamp) -> bool {
        const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
        self.totals == Totals::default()
            && self.tasks.is_empty()
            && !self.paused
            && self.limits == limits
            && self.closed.is_over(now)
            && self.workers.values().all(|worker| worker.lease_ends + HOUR <= now)
    }

    /// When the next request is due at the latest, so that what depends on time alone happens in time.
    pub fn next_event(&self) -> Option<Timestamp> {
        let lease = self.leases.first().map(|(end, _)| (*end).max(self.grace_until));
        let dying = self.dying.front().map(|_| self.tick);
        [self.places.next_due(), self.places.next_expiry(), lease, dying].into_iter().flatten().min()
    }

    /// Whether there is something to [`Housekeep`]: who only looks, asks this first.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let over = [self.next_event(), self.finals.next_end()].into_iter().flatten().any(|due| due <= now);
        over || !self.unknown.is_empty()
    }

    /// The workers that are open, which is all whose lease has not ended.
    pub fn workers(&self) -> impl Iterator<Item = Incarnation> {
        self.workers.keys().copied()
    }

    /// What is due by time, some of each kind: every request does this.
    fn housekeep(&mut self, now: Timestamp) {
        self.reap(now);
        self.give_back(STEP, now);
        self.promote(now);
        self.expire(now);
        self.fail_unknown_names(now);
        self.sweep(now);
        self.closed.forget(now);
    }

    /// Waiting tasks whose time has come become ready, in the order of their times.
    fn promote(&mut self, now: Timestamp) {
        for _ in 0..STEP {
            let Some(id) = self.places.pop_due(now) else { return };
            let Some(live) = self.take(&id) else { continue };
            live.record.status = task_core::TaskStatus::Pending;
            (live.record.due_at, live.record.error) = (None, None);
            self.make_ready(&id, places::End::Back, now);
        }
    }
}
