use std::process::ExitCode;

use task_core::{CancelAnswer, ControlAnswer, Enqueued, QueueError, TaskStatus};

use crate::answer::{Answer, Refusal};

/// How a command ends: what scripts rely on. The one place that decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// The task FAILED or was CANCELLED.
    TaskFailed,
    /// A wrong flag, value, file or line.
    Usage,
    /// The queue can't be reached, or refuses us.
    NoQueue,
    /// There is no such task.
    NoTask,
    /// It is not final yet, or did not get so in time.
    NotFinal,
    /// The queue refused: full, a duplicate, a status that does not allow it, a thing that this backend lacks.
    Refused,
}

impl Exit {
    /// What an answer means for the command.
    pub(crate) fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Enqueued { answer, .. } => match answer {
                Enqueued::Queued | Enqueued::Exists { same: true, .. } => Self::Done,
                _ => Self::Refused,
            },
            Answer::Result(record) => match record.status {
                TaskStatus::Completed | TaskStatus::Skipped => Self::Done,
                TaskStatus::Failed | TaskStatus::Cancelled => Self::TaskFailed,
                TaskStatus::Pending | TaskStatus::Running | TaskStatus::Retry => Self::NotFinal,
            },
            Answer::NoTask { .. } => Self::NoTask,
            Answer::Cancelled { answer, .. } => match answer {
                CancelAnswer::Cancelled
                | CancelAnswer::Requested
                | CancelAnswer::AlreadyFinal(TaskStatus::Cancelled) => Self::Done,
                CancelAnswer::NotFound => Self::NoTask,
                _ => Self::Refused,
            },
            Answer::Controlled { answer, .. } => match answer {
                ControlAnswer::Done(_) => Self::Done,
                ControlAnswer::NotFound => Self::NoTask,
                _ => Self::Refused,
            },
            Answer::Refused(Refusal { wrong_input: true, .. }) => Self::Usage,
            Answer::Refused(_) => Self::Refused,
            Answer::Status(_)
            | Answer::Waits(_)
            | Answer::Explained { .. }
            | Answer::Tasks { .. }
            | Answer::Stats { .. }
            | Answer::Workers { .. }
            | Answer::Queues(_)
            | Answer::ReplayedAll(_)
            | Answer::Message(_)
            | Answer::Exported { .. }
            | Answer::Imported(_) => Self::Done,
        }
    }

    /// What an error means for the command.
    pub(crate) fn of_error(error: &QueueError) -> Self {
        use QueueError as E;
        match error {
            E::Invalid(_) => Self::Usage,
            E::Full(_) | E::Conflict(_) | E::AlreadyThere { .. } | E::Unsupported { .. } => Self::Refused,
            _ => Self::NoQueue,
        }
    }

    /// The weightier of two: without the queue nothing else is known, and a wrong line wins over a failed task.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        let weight = |exit: Self| match exit {
            Self::Done => 0,
            Self::TaskFailed => 1,
            Self::NotFinal => 2,
            Self::NoTask => 3,
            Self::Refused => 4,
            Self::Usage => 5,
            Self::NoQueue => 6,
        };
        if weight(other) > weight(self) { other } else { self }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::TaskFailed => 1,
            Self::Usage => 2,
            Self::NoQueue => 3,
            Self::NoTask => 4,
            Self::NotFinal => 5,
            Self::Refused => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_wins_over_a_failed_task_and_a_queue_that_is_away_over_all() {
        assert_eq!(Exit::TaskFailed.or(Exit::Usage), Exit::Usage);
        assert_eq!(Exit::Usage.or(Exit::TaskFailed), Exit::Usage);
        assert_eq!(Exit::Usage.or(Exit::NoQueue), Exit::NoQueue);
        assert_eq!(Exit::Done.or(Exit::Done), Exit::Done);
    }
}
