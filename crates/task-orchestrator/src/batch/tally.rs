use std::fmt;

use task_core::TaskStatus;

/// What became of a batch. As text one line for people: `8 completed, 1 failed, 2 bad lines`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tasks that COMPLETED.
    pub(crate) completed: u64,
    /// Tasks that were SKIPPED.
    pub(crate) skipped: u64,
    /// Tasks that FAILED, or whose result is gone.
    pub(crate) failed: u64,
    /// Tasks that were CANCELLED.
    pub(crate) cancelled: u64,
    /// Lines that were no task, or that the queue did not take.
    pub(crate) bad_lines: u64,
    /// Lines whose unique key a task that is there already holds.
    pub(crate) merged: u64,
    /// Tasks that are not final: enqueued, or refused so far.
    pub(crate) left: u64,
    /// The results could not be written.
    pub(crate) broken: bool,
}

impl Tally {
    /// One more that is final.
    pub(super) fn ended(&mut self, status: TaskStatus) {
        match status {
            TaskStatus::Completed => self.completed += 1,
            TaskStatus::Skipped => self.skipped += 1,
            TaskStatus::Cancelled => self.cancelled += 1,
            _ => self.failed += 1,
        }
    }

    /// Tasks that have no result where one was asked for.
    pub(crate) fn unhappy(&self) -> u64 {
        self.failed + self.cancelled
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} completed", self.completed)?;
        for (count, what) in [
            (self.skipped, "skipped"),
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.merged, "not enqueued, as others hold their unique keys"),
            (self.left, "not final"),
            (self.bad_lines, if self.bad_lines == 1 { "bad line" } else { "bad lines" }),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_was_none_of_is_not_said() {
        let tally = Tally { completed: 8, ..Tally::default() };
        assert_eq!(tally.to_string(), "8 completed");
        let tally = Tally { failed: 1, cancelled: 2, bad_lines: 1, left: 3, ..tally };
        assert_eq!(tally.to_string(), "8 completed, 1 failed, 2 cancelled, 3 not final, 1 bad line");
        assert_eq!(tally.unhappy(), 3);
    }
}
