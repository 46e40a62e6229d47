//! What a queue does, as plainly as it can be said: vectors that are searched from one end to the other.
//!
//! It is what real backends are compared with, so it must be obviously right, and may be slow.

mod claim;
mod control;
mod enqueue;
mod housekeeping;
mod look;
mod queue;
mod settle;
mod workers;

use std::{collections::BTreeMap, mem::Discriminant, time::Duration};

pub use queue::ModelQueue;

use bytes::Bytes;
use task_core::{
    Failure, FailureKind, Incarnation, Name, Outcome, Registration, ResultMessage, TaskId, TaskMessage,
    TaskStatus, Timestamp, Token, Totals, WorkerCommand,
};

/// A whole backend: a clock that moves only when it is told to, and named queues.
pub(crate) struct Model {
    pub(crate) now: Timestamp,
    spaces: BTreeMap<Name, Space>,
    /// The most results of COMPLETED tasks, and the most FAILED and CANCELLED tasks with their params, that are kept.
    caps: (usize, usize),
}

/// One named queue.
pub(crate) struct Space {
    name: Name,
    now: Timestamp,
    caps: (usize, usize),
    /// How many tasks have ended.
    ends: u64,
    /// Every task that has a record, in the order of their enqueues.
    pub(crate) tasks: Vec<Task>,
    /// Ids whose records are gone and that are still remembered.
    pub(crate) remembered: Vec<Remembered>,
    pub(crate) workers: Vec<Worker>,
    /// Starts of workers that were released, with all their generations, and until when that is remembered.
    released: Vec<(u128, Timestamp)>,
    /// Generations whose leases ended, and until when that is remembered.
    ended: Vec<(Incarnation, Timestamp)>,
    /// When a worker that knows such a name was last heard of, or the first task of it came in.
    unknown: BTreeMap<Name, Timestamp>,
    /// How each attempt was settled, for ever.
    settled: Vec<(TaskId, Token, Discriminant<Outcome>)>,
    /// Who is asked to run empty.
    runs_empty: Option<Incarnation>,
    paused: bool,
    limit: Option<u64>,
    /// How many commands workers were told.
    commanded: u64,
    totals: Totals,
    last_call: Option<Timestamp>,
    grace_until: Timestamp,
    ranks: Ranks,
}

/// Where the next task is put: behind all others, or before them.
#[derive(Default)]
struct Ranks {
    first: i64,
    last: i64,
}

pub(crate) struct Task {
    pub(crate) message: TaskMessage,
    stored: Bytes,
    /// Its params are kept.
    params: bool,
    /// As which of all tasks it ended.
    ended: u64,
    pub(crate) record: ResultMessage,
    pub(crate) place: Place,
    /// Among tasks in one place: the lower, the earlier; those that came there in one step share one.
    rank: i64,
    /// The attempt that was settled, if nothing has happened since.
    rests: Option<Token>,
}

pub(crate) struct Remembered {
    id: TaskId,
    until: Timestamp,
    status: TaskStatus,
    fingerprint: u64,
}

/// Each task is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Ready,
    Scheduled(Timestamp),
    /// Waits for a process of its own.
    Suspect,
    /// Waits for a worker that knows its name.
    Unknown,
    Running(Token),
    Final {
        until: Timestamp,
    },
}

pub(crate) struct Worker {
    pub(crate) incarnation: Incarnation,
    registration: std::sync::Arc<Registration>,
    pub(crate) lease_end: Timestamp,
    since: Timestamp,
    seen: Timestamp,
    busy: u32,
    commands: Vec<(u64, WorkerCommand)>,
    told_to_empty: bool,
    /// The claims that brought something and are remembered, by their numbers.
    claims: BTreeMap<u64, Vec<TaskId>>,
    newest: u64,
    acked: u64,
}

impl Task {
    /// Its worker died under it twice: it runs alone, until it has ended or is replayed.
    pub(crate) fn is_suspect(&self) -> bool {
        self.record.crashes >= 2
    }
}

/// A tick that is older than this means that the backend was away.
const OUTAGE: Duration = Duration::from_secs(6);
const GRACE: Duration = Registration::LEASE;
const CLOSED_FOR: Duration = Duration::from_secs(3600);
const NAME_UNKNOWN_FOR: Duration = Duration::from_secs(600);

impl Model {
    pub(crate) fn new(caps: (usize, usize)) -> Self {
        Self { now: Timestamp::now(), spaces: BTreeMap::new(), caps }
    }

    pub(crate) fn space(&mut self, name: &Name) -> &mut Space {
        let (now, caps) = (self.now, self.caps);
        let space = self.spaces.entry(name.clone()).or_insert_with(|| Space::new(name.clone(), now, caps));
        space.now = now;
        space
    }

    /// The clock moves on without an outage. What the time brings happens with the next call.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        for space in self.spaces.values_mut() {
            space.last_call = space.last_call.map(|_| self.now);
        }
    }
}

impl Space {
    fn new(name: Name, now: Timestamp, caps: (usize, usize)) -> Self {
        Self {
            caps,
            ends: 0,
            name,
            now,
            tasks: Vec::new(),
            remembered: Vec::new(),
            workers: Vec::new(),
            released: Vec::new(),
            ended: Vec::new(),
            unknown: BTreeMap::new(),
            settled: Vec::new(),
            runs_empty: None,
            paused: false,
            limit: None,
            commanded: 0,
            totals: Totals::default(),
            last_call: None,
            grace_until: Timestamp::default(),
            ranks: Ranks::default(),
        }
    }

    pub(crate) fn find(&self, id: &TaskId) -> Option<usize> {
        self.tasks.iter().position(|task| task.record.id == *id)
    }

    /// Which live task holds this key. A lock is nothing but that.
    fn owner(&self, lock: &str) -> Option<TaskId> {
        let owns =
            |task: &&Task| !task.record.status.is_final() && task.message.lock().as_deref() == Some(lock);
        self.tasks.iter().find(owns).map(|task| task.record.id.clone())
    }

    /// What comes to the front or to the back from now on lies before, or behind, all that came before.
    fn next_step(&mut self) {
        self.ranks.first -= 1;
        self.ranks.last += 1;
    }

    /// A waiting task becomes ready, or what it is instead.
    fn make_pending(&mut self, place: usize, at_the_front: bool) {
        let task = &mut self.tasks[place];
        task.record.status = TaskStatus::Pending;
        (task.record.due_at, task.record.error) = (None, None);
        task.place = if task.is_suspect() { Place::Suspect } else { Place::Ready };
        task.rank = if at_the_front { self.ranks.first } else { self.ranks.last };
    }

    fn end(&mut self, place: usize, status: TaskStatus, kind: FailureKind, why: &str) {
        self.tasks[place].rests = None;
        let record = &mut self.tasks[place].record;
        record.status = status;
        record.error = Some(Failure::new(kind, why));
        record.finished_at = Some(self.now);
        record.due_at = None;
        record.cancel_requested = false;
        self.keep(place);
        match (status, kind) {
            (TaskStatus::Failed, _) => self.totals.failed += 1,
            (_, FailureKind::Expired) => self.totals.expired += 1,
            _ => self.totals.cancelled += 1,
        }
    }

    /// A task has become final: from now on it is kept for its retention.
    fn keep(&mut self, place: usize) {
        self.ends += 1;
        let task = &mut self.tasks[place];
        task.ended = self.ends;
        let until = self.now + ResultMessage::retention(task.record.status, task.message.retention);
        task.place = Place::Final { until };
        self.keep_caps();
    }

    /// The oldest results beyond the caps are dropped, or lose their params.
    fn keep_caps(&mut self) {
        let is_kept = |task: &Task| matches!(task.place, Place::Final { .. });
        let results = |task: &Task| is_kept(task) && task.record.status == TaskStatus::Completed;
        if self.tasks.iter().filter(|task| results(task)).count() > self.caps.0 {
            let places = 0..self.tasks.len();
            let oldest =
                places.filter(|place| results(&self.tasks[*place])).min_by_key(|n| self.tasks[*n].ended);
            oldest.into_iter().for_each(|place| self.drop_result(place));
            self.totals.dropped_results += 1;
        }
        let may_replay = |task: &&mut Task| {
            task.params && matches!(task.record.status, TaskStatus::Failed | TaskStatus::Cancelled)
        };
        if self.tasks.iter_mut().filter(may_replay).count() > self.caps.1 {
            let oldest = self.tasks.iter_mut().filter(may_replay).min_by_key(|task| task.ended);
            oldest.into_iter().for_each(|task| task.params = false);
        }
    }

    /// A result is dropped; its id is remembered for the rest of its ten minutes.
    fn drop_result(&mut self, place: usize) {
        let record = self.tasks.remove(place).record;
        let until = record.finished_at.unwrap_or(self.now) + ResultMessage::ID_REMEMBERED;
        if until > self.now {
            let (status, fingerprint) = (record.status, record.fingerprint);
            self.remembered.push(Remembered { id: record.id, until, status, fingerprint });
        }
    }
}
