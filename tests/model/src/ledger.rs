//! What really happened, kept beside the protocol by comparing what is stored before and after each step.

use std::collections::BTreeSet;

use crate::{
    backend::{Backend, Record, Status},
    id::{Incarnation, Task, Token},
    process::Process,
};

/// What was seen to go wrong so far; each is a promise broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wrongs {
    /// An attempt was over, or another began, and nothing counted it.
    pub(crate) uncounted: bool,
    /// A record changed after it was final, other than by a replay.
    pub(crate) ended_twice: bool,
    /// Something changed by a token that was not the current one.
    pub(crate) unfenced: bool,
    /// A live worker that had beaten lost what it had.
    pub(crate) live_reaped: bool,
    /// A heartbeat gave back what its worker had or was about to be told that it has, or anything though no write was lost.
    pub(crate) taken: bool,
    /// A task ran again after its user was told that it is cancelled or will be.
    pub(crate) ran_after_cancel: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    pub(crate) wrongs: Wrongs,
    /// Those whose lease ended since they gave no sign of life.
    pub(crate) missed: BTreeSet<Incarnation>,
    /// Whoever took the wake token is gone or stopped; the next claim makes up for it.
    pub(crate) wake_lost: bool,
    /// The backend has lost writes.
    pub(crate) writes_lost: bool,
    /// Attempts before the last replay but for releases, by task: a replay sets the counts of the others to 0.
    pub(crate) before_replay: Vec<u8>,
    /// The claim by which a task was started last in some process.
    started: Vec<Option<Token>>,
    /// Tasks whose cancel was answered in this generation.
    cancelled: BTreeSet<Task>,
}

impl Ledger {
    pub(crate) fn new(tasks: u8) -> Self {
        Self {
            wrongs: Wrongs::default(),
            missed: BTreeSet::new(),
            wake_lost: false,
            writes_lost: false,
            before_replay: vec![0; usize::from(tasks)],
            started: vec![None; usize::from(tasks)],
            cancelled: BTreeSet::new(),
        }
    }

    pub(crate) fn watch(&mut self, before: &Backend, after: &Backend) {
        for (task, (was, is)) in (0..).zip(before.records.iter().zip(&after.records)) {
            if let (Some(was), Some(is)) = (was, is)
                && was != is
            {
                self.compare(task, was, is);
            }
        }
    }

    fn compare(&mut self, task: Task, was: &Record, is: &Record) {
        let replayed = is.generation > was.generation;
        if replayed {
            self.before_replay[usize::from(task)] = was.attempts - was.releases;
            self.cancelled.remove(&task);
        }
        let content = |record: &Record| (record.status, record.body, record.attempts);
        self.wrongs.ended_twice |= was.status.is_final() && !replayed && content(was) != content(is);

        let taken_back = was.attempts > is.attempts; // an unknown name
        if was.held.is_some() && was.held != is.held {
            let counts = |record: &Record| record.failures + record.crashes + record.releases;
            let by_word = is.status.is_final() && counts(is) == counts(was);
            let counted = counts(is).wrapping_sub(counts(was)) + u8::from(by_word || taken_back);
            self.wrongs.uncounted |= counted != 1;
        }
        if is.held.is_some() && is.held != was.held {
            self.wrongs.uncounted |= is.attempts != was.attempts + 1 || was.status != Status::Pending;
            self.wrongs.ran_after_cancel |= self.cancelled.contains(&task);
        }
        let settled = is.last.filter(|_| is.last != was.last);
        self.wrongs.unfenced |= settled.is_some_and(|(token, _)| was.held != Some(token));
        self.wrongs.unfenced |= is.body != was.body && is.body != was.held;
    }

    /// A process begins to run it.
    pub(crate) fn starts(&mut self, task: Task, token: Token) {
        self.wrongs.uncounted |= self.started[usize::from(task)].replace(token) == Some(token);
    }

    pub(crate) fn cancel_answered(&mut self, task: Task) {
        self.cancelled.insert(task);
    }

    /// A heartbeat of this process has said what it holds.
    pub(crate) fn watch_taken(&mut self, before: &Backend, after: &Backend, process: &Process) {
        for (was, is) in before.records.iter().flatten().zip(after.records.iter().flatten()) {
            let may = |token| self.writes_lost && !process.has(token);
            self.wrongs.taken |= was.held != is.held && !was.held.is_some_and(may);
        }
    }

    pub(crate) fn reaped(&mut self, incarnation: Incarnation, live: bool) {
        self.wrongs.live_reaped |= live && !self.missed.contains(&incarnation);
    }

    pub(crate) fn may_lose_wake(&mut self, process: &Process) {
        self.wake_lost |= process.will_claim();
    }
}
