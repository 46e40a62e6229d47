use std::time::Duration;

use crate::{Failure, QueueError, TaskId, TaskStatus, error::BoxError};

/// Why there is no value to give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// It FAILED.
    #[error("task {id} failed: {failure}")]
    Failed {
        /// The task.
        id: TaskId,
        /// Its last error.
        #[source]
        failure: Failure,
    },
    /// It was CANCELLED, purged, or expired.
    #[error("task {id} was cancelled: {failure}")]
    Cancelled {
        /// The task.
        id: TaskId,
        /// For what reason.
        #[source]
        failure: Failure,
    },
    /// It SKIPPED its work.
    #[error("task {id} was skipped: {failure}")]
    Skipped {
        /// The task.
        id: TaskId,
        /// For what reason.
        #[source]
        failure: Failure,
    },
    /// The queue knows no such task: it never had it, or its retention is over.
    #[error("there is no task {id} in queue `{queue}`")]
    NotFound {
        /// The task.
        id: TaskId,
        /// Where it was looked for.
        queue: crate::Name,
    },
    /// It was there; its result is not kept any more.
    #[error("the result of task {id} has expired")]
    Expired {
        /// The task.
        id: TaskId,
    },
    /// It is not final yet.
    #[error("task {id} is still {status} after {}", crate::format_duration(*.after))]
    TimedOut {
        /// The task.
        id: TaskId,
        /// Where it stands.
        status: TaskStatus,
        /// How long was waited.
        after: Duration,
    },
    /// It returned something else.
    #[error("the result of task {id} is not a `{expected}`: {source}")]
    Decode {
        /// The task.
        id: TaskId,
        /// The type that was asked for.
        expected: &'static str,
        /// What is wrong with it.
        source: BoxError,
    },
    /// The queue could not be asked.
    #[error(transparent)]
    Queue(#[from] QueueError),
}
