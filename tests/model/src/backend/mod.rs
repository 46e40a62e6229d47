//! The backend, as redis-server and the scripts are: every method is one step that nothing interrupts.

mod claim;
mod control;
mod lease;
mod record;
mod settle;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use lease::Member;
pub(crate) use record::{Record, Status};

use crate::{
    broken::Broken,
    id::{Incarnation, Task, Token, Worker},
    wire::{Reply, Request},
};

/// What the queue and its tasks are set to.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) max_retries: u8,
    pub(crate) max_crashes: u8,
    /// This worker has no code for this task.
    pub(crate) unknown: Option<(Worker, Task)>,
    pub(crate) broken: Option<Broken>,
}

impl Rules {
    pub(crate) fn lack(&self, rule: Broken) -> bool {
        self.broken == Some(rule)
    }

    pub(crate) fn knows(&self, worker: Worker, task: Task) -> bool {
        self.unknown != Some((worker, task))
    }
}

/// Everything that is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Backend {
    /// By task.
    pub(crate) records: Vec<Option<Record>>,
    /// Which tasks are to start, first to last. An entry may be of a task that was cancelled since.
    pub(crate) ready: Vec<Task>,
    /// Tasks that wait for a worker that knows their name.
    pub(crate) aside: BTreeSet<Task>,
    /// At most one token; it carries no work, and one parked worker takes it.
    pub(crate) wake: bool,
    /// Workers that are called for a task of a name that not all know.
    pub(crate) called: BTreeSet<Worker>,
    /// Who is registered.
    pub(crate) members: BTreeMap<Incarnation, Member>,
    /// Who may do nothing any more.
    pub(crate) closed: BTreeSet<Incarnation>,
    /// Nobody has called for so long that the backend itself must have been away.
    pub(crate) silent: bool,
    /// Nothing is reaped for now.
    pub(crate) grace: bool,
}

impl Backend {
    pub(crate) fn new(tasks: u8) -> Self {
        Self { records: vec![None; usize::from(tasks)], ..Self::default() }
    }

    pub(crate) fn record(&self, task: Task) -> Option<&Record> {
        self.records[usize::from(task)].as_ref()
    }

    fn record_mut(&mut self, task: Task) -> &mut Record {
        self.records[usize::from(task)].as_mut().expect("whoever has an id has it from its record")
    }

    /// Carries out a request.
    pub(crate) fn handle(&mut self, rules: &Rules, request: Request) -> Reply {
        self.tick(rules);
        match request {
            Request::Enqueue(task) => self.enqueue(task),
            Request::Claim { token, acked } => self.claim(rules, token, acked),
            Request::Settle { token, task, end } => self.settle(rules, token, task, end),
            Request::Holds { holder, up_to, claim } => self.give_back_unheld(rules, holder, up_to, claim),
            Request::Release(incarnation) => self.release(rules, incarnation),
        }
    }

    /// The one way into the ready list; it wakes.
    fn ready(&mut self, task: Task, front: bool) {
        self.ready.insert(if front { 0 } else { self.ready.len() }, task);
        self.wake = true;
    }

    /// The tasks that this incarnation holds.
    fn held_by(&self, incarnation: Incarnation) -> Vec<Task> {
        let holds = |held: Option<Token>| held.is_some_and(|token| token.holder == incarnation);
        let all = 0..self.records.len() as Task;
        all.filter(|task| self.record(*task).is_some_and(|record| holds(record.held))).collect()
    }
}
