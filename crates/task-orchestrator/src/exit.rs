use std::process::ExitCode;

use task_core::QueueError;

/// How a command ends: what scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or a service that stopped cleanly.
    Done,
    /// A task of the batch FAILED or was CANCELLED.
    TaskFailed,
    /// A wrong flag, file or line of the input; wins over a failed task.
    Usage,
    /// The queue can't be reached, or refuses us.
    NoQueue,
    /// A batch cut short by this signal.
    Signal(i32),
}

impl Exit {
    /// What it means that the queue could not be opened, and the words for it.
    pub(crate) fn no_queue(error: &QueueError) -> (Self, String) {
        match error {
            QueueError::Invalid(_) => (Self::Usage, error.to_string()),
            _ => (Self::NoQueue, error.to_string()),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::TaskFailed => 1,
            Exit::Usage => 2,
            Exit::NoQueue => 3,
            Exit::Signal(signal) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)),
        })
    }
}
