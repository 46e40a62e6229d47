//! What is stored of a task.

use crate::{id::Token, wire::End};

/// The states of a task. SKIPPED is left out: it is an end by the task's own word, as COMPLETED is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Pending,
    Running,
    Retry,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) status: Status,
    /// The claim that has it, while it runs.
    pub(crate) held: Option<Token>,
    /// Whose result is stored.
    pub(crate) body: Option<Token>,
    /// The last settlement that was taken.
    pub(crate) last: Option<(Token, End)>,
    /// A cancel was asked for while it ran.
    pub(crate) cancel: bool,
    /// It was cancelled, and its entry in the ready list is still there.
    pub(crate) tombstone: bool,
    pub(crate) attempts: u8,
    pub(crate) failures: u8,
    pub(crate) crashes: u8,
    pub(crate) releases: u8,
    pub(crate) generation: u8,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            status: Status::Pending,
            held: None,
            body: None,
            last: None,
            cancel: false,
            tombstone: false,
            attempts: 0,
            failures: 0,
            crashes: 0,
            releases: 0,
            generation: 0,
        }
    }

    /// Nothing moves it on any more.
    pub(crate) fn finish(&mut self, status: Status) {
        (self.status, self.held, self.cancel) = (status, None, false);
    }
}
