use serde::{Deserialize, Serialize};

use crate::{Incarnation, TaskId, TaskStatus};

/// The answer to a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelAnswer {
    /// It waited, and is CANCELLED now.
    Cancelled,
    /// It runs; its worker is told, and it ends as CANCELLED unless it returns a value.
    Requested,
    /// It had ended before.
    AlreadyFinal(TaskStatus),
    /// There is no such task.
    NotFound,
}

/// What a named queue can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Gives nothing out until it is resumed. Running tasks, delays, expiry and recovery go on.
    Pause,
    /// Gives tasks out again.
    Resume,
    /// Runs a FAILED or CANCELLED task again: same id, history kept, unique key taken again.
    Replay(TaskId),
    /// Forgets a final task, its id too.
    Delete(TaskId),
    /// Cancels every task that is PENDING or RETRY.
    Purge,
    /// Takes in no more tasks while so many are PENDING or RETRY; `None`: no limit.
    Limit(Option<u64>),
    /// Tells a worker something; it hears it with its next heartbeat, or at once if one waits.
    Tell(Incarnation, WorkerCommand),
}

/// What a worker can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkerCommand {
    /// Claim nothing; what runs goes on.
    Pause,
    /// Claim again.
    Resume,
    /// Run so many tasks at once.
    Concurrency(u32),
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlAnswer {
    /// Done, to so many tasks: of a purge, how many were cancelled; of a replay or delete, 1; else 0. What is so
    /// already is done, too.
    Done(u64),
    /// The task's status does not allow it.
    WrongStatus(TaskStatus),
    /// A live task holds the unique key of the one to replay: this one.
    DuplicateOf(TaskId),
    /// The task can't be replayed: its params were dropped, being beyond the cap of kept failures.
    ParamsDropped,
    /// There is no such task, or no such worker.
    NotFound,
}
