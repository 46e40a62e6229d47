//! One named queue as a pure state machine: a request and a time in, a reply and [`Effects`] out. No I/O, no clock, no
//! waiting, so that it can be tested step by step, and that a durable backend can put a journal around it.
//!
//! What holds between two requests:
//! - a live task is in exactly one of [`Places`], and its [`Place`] says in which; so entries are removed exactly and
//!   none is ever stale;
//! - a token is current while its task is in `running` under it and its worker is open: to close a worker is to remove
//!   it from `workers`, and what it held is given back in bounded steps afterwards;
//! - a unique key is in `locks` exactly while its task is live;
//! - nothing that decides iterates over a hash map, so the same requests at the same times give the same replies.

mod cancel;
mod claim;
mod closed;
mod control;
mod enqueue;
mod expiry;
mod explain;
mod heartbeat;
mod lease;
mod list;
mod look;
mod names;
mod places;
mod rate;
mod replay;
mod retention;
mod settle;
mod stats;
mod suspects;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use task_core::{Incarnation, Name, TaskId, Timestamp, Totals};

pub(crate) use self::{
    cancel::Cancel,
    claim::{Grant, Granted, WorkerClosed},
    control::{Purge, SetLimit, SetPaused, Tell},
    enqueue::{Enqueue, NewTask},
    explain::Explain,
    heartbeat::{Beat, BeatReply},
    lease::Release,
    list::List,
    look::{Look, Message, Stored},
    replay::{Delete, Replay},
    settle::{End, Settle},
    stats::Stats,
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

/// What bounds a named queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most tasks that may wait.
    pub(crate) waiting: Option<u64>,
    /// The most results kept of COMPLETED tasks.
    pub(crate) completed: usize,
    /// The most final tasks whose params are kept for a replay.
    pub(crate) replayable: usize,
}

/// A request: plain data, carried out at once.
pub(crate) trait Apply {
    type Reply;
    fn apply(self, state: &mut State, now: Timestamp) -> Self::Reply;
}

/// Time passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick;

impl Apply for Tick {
    type Reply = ();

    /// It does no housekeeping, so that a late sign of life may still come first.
    fn apply(self, _: &mut State, _: Timestamp) {}
}

/// Who is to be woken after a request.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// There are tasks that any worker may take: one that waits is enough, since it wakes the next.
    pub(crate) ready: bool,
    /// Something that concerns some of those that wait for tasks, so all look again.
    pub(crate) changed: bool,
    /// Tasks that became final, or were forgotten.
    pub(crate) ended: Vec<TaskId>,
    /// Workers that have something to hear.
    pub(crate) told: Vec<Incarnation>,
}

/// The most entries that one kind of housekeeping handles in one request.
const STEP: usize = 128;

/// One named queue.
#[derive(Debug)]
pub(crate) struct State {
    queue: Name,
    limits: Limits,
    /// The time of the last request.
    tick: Timestamp,
    /// Until then nobody is taken for dead, since the queue itself was away.
    grace_until: Timestamp,
    tasks: HashMap<TaskId, Task>,
    places: Places,
    finals: Finals,
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
    totals: Totals,
    enqueued: Rate,
    finished: Rate,
    effects: Effects,
}

impl State {
    pub(crate) fn new(queue: Name, limits: Limits, now: Timestamp) -> Self {
        Self {
            queue,
            limits,
            tick: now,
            grace_until: Timestamp::default(),
            tasks: HashMap::new(),
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
            totals: Totals::default(),
            enqueued: Rate::default(),
            finished: Rate::default(),
            effects: Effects::default(),
        }
    }

    /// Carries out a request. `now` never goes back: an earlier time counts as that of the request before.
    pub(crate) fn apply<R: Apply>(&mut self, request: R, now: Timestamp) -> R::Reply {
        let now = now.max(self.tick);
        self.notice_outage(now);
        request.apply(self, now)
    }

    /// Who is to be woken since this was asked last.
    pub(crate) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// When the next request is due at the latest, so that what depends on time alone happens in time.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        let lease = self.leases.first().map(|(end, _)| (*end).max(self.grace_until));
        let dying = self.dying.front().map(|_| self.tick);
        [self.places.next_due(), self.places.next_expiry(), lease, dying].into_iter().flatten().min()
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
            let Some(mut live) = self.take_live(&id) else { continue };
            live.record.status = task_core::TaskStatus::Pending;
            (live.record.due_at, live.record.error) = (None, None);
            self.make_ready(id, live, places::End::Back, now);
        }
    }
}
