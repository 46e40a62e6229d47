use std::process::ExitCode;

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
