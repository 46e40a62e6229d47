use task_core::Outcome;

/// How the tasks ended that a worker settled in a drain. One that ran several times counts once, by its last end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Tasks that COMPLETED.
    pub completed: u64,
    /// Tasks that FAILED.
    pub failed: u64,
    /// Tasks that were SKIPPED.
    pub skipped: u64,
    /// Tasks that were CANCELLED while they ran.
    pub cancelled: u64,
    /// It was told to stop before there was nothing left.
    pub cut_short: bool,
}

impl Drained {
    /// Whether there is nothing left, and no task FAILED or was CANCELLED.
    pub fn is_success(&self) -> bool {
        self.failed == 0 && self.cancelled == 0 && !self.cut_short
    }

    /// A task was settled so.
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Completed { .. } => self.completed += 1,
            Outcome::Failed { .. } => self.failed += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::Cancelled { .. } => self.cancelled += 1,
            Outcome::Retry { .. } | Outcome::Released | Outcome::NameUnknown => {}
        }
    }
}
