use crate::{Incarnation, Name, TaskId, TaskStatus, error::BoxError};

/// Why a call on a queue failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The backend can't be reached, or says that it can't work now. Nothing was sent.
    #[error("the queue can't be reached: {0}")]
    Unreachable(#[source] BoxError),

    /// The connection broke, or time ran out, after the call was sent: it may have taken effect. Every call may be
    /// sent again.
    #[error("the queue's answer was lost: {0}")]
    AnswerLost(#[source] BoxError),

    /// Until the deadline the call could not be sent, so it had no effect.
    #[error("nothing was sent: {0}")]
    NotSent(#[source] BoxError),

    /// The call was sent, also again, and no answer came until the deadline: the task may be enqueued or not. To
    /// enqueue it again under this id is safe.
    #[error(
        "whether task {id} was enqueued is not known (to enqueue it again under this id is safe): {source}"
    )]
    OutcomeUnknown {
        /// The task.
        id: TaskId,
        /// The last error.
        source: BoxError,
    },

    /// The named queue, or the backend as a whole, takes nothing more in.
    #[error(
        "queue `{0}` is full; enqueue again when it has drained, or raise its limit or the server's memory"
    )]
    Full(Name),

    /// A live task has this id and other params.
    #[error("a task {0} with other params is in the queue already; give this one another id")]
    Conflict(TaskId),

    /// A task of this id, with other params, has ended already and is still remembered.
    #[error(
        "a task {id} with other params was there and is {status}; give this one another id, or delete that one"
    )]
    AlreadyThere {
        /// The id of both.
        id: TaskId,
        /// How the earlier one ended.
        status: TaskStatus,
    },

    /// The incarnation was released or its lease ended: what it held is given to others.
    #[error(
        "worker {0} is closed: it was released, or its lease ended; it goes on under its next generation"
    )]
    Closed(Incarnation),

    /// What was asked is not allowed; the message says what, and with which value.
    #[error("{0}")]
    Invalid(String),

    /// The backend refuses us for good: wrong password, no right, a version too old or too new.
    #[error("the queue refuses us: {0}")]
    Refused(String),

    /// The backend has no such thing.
    #[error("this backend has no {what}; {remedy}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },

    /// The backend found something in its store that can't be, e.g. a foreign key under its names.
    #[error("the queue's data are damaged: {0}")]
    Corrupt(String),
}

impl QueueError {
    /// What was asked is not allowed.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The backend can't be reached, or not now.
    pub fn unreachable(source: impl Into<BoxError>) -> Self {
        Self::Unreachable(source.into())
    }

    /// The answer to a call that was sent was lost.
    pub fn answer_lost(source: impl Into<BoxError>) -> Self {
        Self::AnswerLost(source.into())
    }

    /// Whether the same call may succeed later, with nothing changed but the time.
    pub fn is_transient(&self) -> bool {
        use QueueError as E;
        matches!(
            self,
            E::Unreachable(_) | E::AnswerLost(_) | E::NotSent(_) | E::OutcomeUnknown { .. } | E::Full(_)
        )
    }

    /// The same error for another of those who wait for one call.
    #[doc(hidden)]
    #[must_use]
    pub fn shared(&self) -> Self {
        let text = |source: &BoxError| BoxError::from(source.to_string());
        match self {
            Self::Unreachable(source) => Self::Unreachable(text(source)),
            Self::AnswerLost(source) => Self::AnswerLost(text(source)),
            Self::NotSent(source) => Self::NotSent(text(source)),
            Self::OutcomeUnknown { id, source } => {
                Self::OutcomeUnknown { id: id.clone(), source: text(source) }
            }
            Self::Full(queue) => Self::Full(queue.clone()),
            Self::Conflict(id) => Self::Conflict(id.clone()),
            Self::AlreadyThere { id, status } => Self::AlreadyThere { id: id.clone(), status: *status },
            Self::Closed(worker) => Self::Closed(*worker),
            Self::Invalid(message) => Self::Invalid(message.clone()),
            Self::Refused(message) => Self::Refused(message.clone()),
            Self::Unsupported { what, remedy } => Self::Unsupported { what, remedy },
            Self::Corrupt(message) => Self::Corrupt(message.clone()),
        }
    }
}

impl From<crate::InvalidName> for QueueError {
    fn from(error: crate::InvalidName) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<crate::InvalidTaskId> for QueueError {
    fn from(error: crate::InvalidTaskId) -> Self {
        Self::Invalid(error.to_string())
    }
}
