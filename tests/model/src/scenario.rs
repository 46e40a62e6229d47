//! Small instances: how many tasks and workers, and how much may go wrong, so that all that can happen is walked through.

use crate::{backend::Rules, broken::Broken, id::Task};

/// How often each thing may still happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Replies that are lost, and requests of which a copy arrives later once more.
    pub mishaps: u8,
    /// Processes that die.
    pub crashes: u8,
    /// Processes that are stopped for longer than a lease, and go on.
    pub freezes: u8,
    /// Times that the backend is away for longer than a lease.
    pub outages: u8,
    /// Attempts that fail.
    pub failures: u8,
    /// Attempts that are given back.
    pub releases: u8,
    /// Cancels of a task that is not final.
    pub cancels: u8,
    /// Replays.
    pub replays: u8,
    /// Times that the backend loses its last writes, as in a failover to a replica that lagged.
    pub losses: u8,
}

/// An instance of the protocol.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) tasks: u8,
    pub(crate) workers: u8,
    pub(crate) budget: Budget,
    /// The tasks are enqueued in the course of it; else they are there from the start.
    pub(crate) producing: bool,
    /// An orchestrator releases what a dead process held; else its lease has to end.
    pub(crate) orchestrated: bool,
    pub(crate) rules: Rules,
}

impl Scenario {
    /// So many tasks that are there from the start, workers under an orchestrator, and what may go wrong.
    pub fn new(tasks: u8, workers: u8, budget: Budget) -> Self {
        let rules = Rules { max_retries: 1, max_crashes: 1, unknown: None, broken: None };
        Self { tasks, workers, budget, producing: false, orchestrated: true, rules }
    }

    /// The tasks are enqueued in the course of it, and that may fail, too.
    pub fn producing(mut self) -> Self {
        self.producing = true;
        self
    }

    /// No orchestrator sees a process die.
    pub fn bare(mut self) -> Self {
        self.orchestrated = false;
        self
    }

    /// The first worker has no code for this task.
    pub fn unknown(mut self, task: Task) -> Self {
        self.rules.unknown = Some((0, task));
        self
    }

    /// With a rule left out.
    pub fn without(mut self, rule: Broken) -> Self {
        self.rules.broken = Some(rule);
        self
    }
}
