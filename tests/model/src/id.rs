//! Who and what: tasks, workers, their starts, and the right to end an attempt.

use std::fmt;

/// A task, by its place in the scenario.
pub type Task = u8;
/// A place for a worker process; one that dies is followed by another start in the same place.
pub type Worker = u8;

/// One start of a worker process, or what it goes on as after it was told that it is closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation {
    /// Its place.
    pub worker: Worker,
    /// Counts the starts in that place.
    pub start: u8,
}

/// The right to end an attempt: the claim that gave the task.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// Who claimed.
    pub holder: Incarnation,
    /// The number of its claim.
    pub claim: u8,
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}.{}", self.worker, self.start)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.holder, self.claim)
    }
}
