use task_core::{Enqueued, QueueError, TaskId};

/// What the queue's answer to a line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is there, now or from an earlier run: its result is waited for.
    Wait,
    /// It may be taken later.
    Again(String),
    /// A live task holds its unique key.
    Merged(TaskId),
    /// It is not taken.
    Bad(String),
}

impl Answer {
    pub(super) fn of(answer: Result<Enqueued, QueueError>) -> Self {
        match answer {
            Ok(Enqueued::Queued | Enqueued::Exists { same: true, .. }) => Self::Wait,
            Ok(Enqueued::Exists { status, .. }) => Self::Bad(format!(
                "a task of this id with other params is there and is {status}; give this one another id"
            )),
            Ok(Enqueued::DuplicateOf(owner)) => Self::Merged(owner),
            Ok(Enqueued::Full) => Self::Again("the queue is full".into()),
            Ok(other) => Self::Bad(format!("the queue answered {other:?}")),
            Err(error) if error.is_transient() => Self::Again(error.to_string()),
            Err(error) => Self::Bad(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use task_core::TaskStatus;

    use super::*;

    #[test]
    fn a_batch_sent_again_waits_for_what_is_there_and_refuses_what_differs() {
        let exists = |same| Ok(Enqueued::Exists { status: TaskStatus::Completed, same });
        assert_eq!(Answer::of(exists(true)), Answer::Wait);
        assert!(matches!(Answer::of(exists(false)), Answer::Bad(why) if why.contains("COMPLETED")));
        assert!(matches!(Answer::of(Ok(Enqueued::Full)), Answer::Again(_)));
        assert!(matches!(Answer::of(Err(QueueError::unreachable("gone"))), Answer::Again(_)));
        assert!(matches!(Answer::of(Err(QueueError::invalid("too large"))), Answer::Bad(_)));
    }
}
