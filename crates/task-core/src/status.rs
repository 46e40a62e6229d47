use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a task stands in its life. Why a pending task does not run yet is a [`Reason`](crate::Reason), no state.
///
/// [`TRANSITIONS`] is the whole table; each backend's conformance test walks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// Enqueued, not running. A claim moves it on; a cancel, a purge or its own expiry ends it.
    Pending,
    /// A worker has it. That worker's settlement moves it on, or, if the worker dies, the release of its incarnation
    /// or the end of its lease.
    Running,
    /// An attempt failed, and the next one waits for its time. Then the backend makes it pending again.
    Retry,
    /// Returned a value. The backend drops it after its retention, or earlier over the cap by count.
    Completed,
    /// Failed for the last time. A replay makes it pending again, else the backend drops it after its retention.
    Failed,
    /// Said itself that there was nothing to do. The backend drops it after its retention.
    Skipped,
    /// Cancelled, purged or expired. A replay makes it pending again, else the backend drops it after its retention.
    Cancelled,
}

impl TaskStatus {
    /// Every status, in the order of a task's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Retry,
        Self::Completed,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// Whether nothing moves the task on by itself any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Skipped | Self::Cancelled)
    }

    /// The status as it is written: `PENDING`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Retry => "RETRY",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// What an event makes of a task in this status; `None` if it can't happen there.
    pub fn after(self, event: Event) -> Option<Self> {
        TRANSITIONS.iter().find(|t| t.from == self && t.event == event).map(|t| t.to)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a status; there are PENDING, RUNNING, RETRY, COMPLETED, FAILED, SKIPPED and CANCELLED", .0.escape_debug())]
pub struct InvalidStatus(String);

impl FromStr for TaskStatus {
    type Err = InvalidStatus;
    /// In any case: `failed` is `FAILED`.
    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let found = Self::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| InvalidStatus(text.chars().take(32).collect()))
    }
}

/// What moves a task from one status to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker took it.
    Claimed,
    /// `expires_at` came before its first start.
    Expired,
    /// Somebody cancelled it, or purged its queue.
    Cancelled,
    /// The time of its next attempt came.
    BackoffOver,
    /// The task returned a value, also after a cancel was asked for.
    Returned,
    /// The task said skip, and no cancel was asked for.
    Skipped,
    /// An error, a panic, a timeout, undecodable params; retries are left, and no cancel was asked for.
    FailedWithRetries,
    /// The same with no retries left, or a fatal error.
    FailedForGood,
    /// A cancel was asked for and the attempt ended in anything but a value, or the task said cancelled.
    EndedCancelled,
    /// Given back unfinished by a worker that stops.
    Released,
    /// Nobody here has a handler of that name, or the message's version is newer than the worker.
    NameUnknown,
    /// No live worker knew its name for ten minutes, or none can come.
    NameUnknownForGood,
    /// Its worker was released or lost its lease, or holds it no more and how it ended was lost.
    Crashed,
    /// The same for more than `max_crashes` times.
    CrashedTooOften,
    /// Somebody runs it again: same id, history kept.
    Replayed,
}

/// One row of the table of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: TaskStatus,
    /// What happens.
    pub event: Event,
    /// After.
    pub to: TaskStatus,
}

const fn row(from: TaskStatus, event: Event, to: TaskStatus) -> Transition {
    Transition { from, event, to }
}

/// Every way from one status to another. (Enqueue makes a task pending; retention and delete end its record.)
pub const TRANSITIONS: &[Transition] = {
    use {Event as E, TaskStatus as S};
    &[
        row(S::Pending, E::Claimed, S::Running),
        row(S::Pending, E::Expired, S::Cancelled),
        row(S::Pending, E::Cancelled, S::Cancelled),
        row(S::Pending, E::NameUnknownForGood, S::Failed),
        row(S::Retry, E::Cancelled, S::Cancelled),
        row(S::Retry, E::BackoffOver, S::Pending),
        row(S::Running, E::Returned, S::Completed),
        row(S::Running, E::Skipped, S::Skipped),
        row(S::Running, E::FailedWithRetries, S::Retry),
        row(S::Running, E::FailedForGood, S::Failed),
        row(S::Running, E::EndedCancelled, S::Cancelled),
        row(S::Running, E::Released, S::Pending),
        row(S::Running, E::NameUnknown, S::Pending),
        row(S::Running, E::Crashed, S::Pending),
        row(S::Running, E::CrashedTooOften, S::Failed),
        row(S::Failed, E::Replayed, S::Pending),
        row(S::Cancelled, E::Replayed, S::Pending),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_that_is_not_final_has_a_way_to_each_final_one() {
        let mut reached: Vec<TaskStatus> = vec![TaskStatus::Pending];
        while let Some(next) =
            TRANSITIONS.iter().find(|t| reached.contains(&t.from) && !reached.contains(&t.to))
        {
            reached.push(next.to);
        }
        reached.sort();
        assert_eq!(reached, TaskStatus::ALL);
    }

    #[test]
    fn a_final_status_is_left_by_replay_alone_and_only_where_params_are_kept() {
        let left: Vec<_> =
            TRANSITIONS.iter().filter(|t| t.from.is_final()).map(|t| (t.from, t.event)).collect();
        assert_eq!(left, [(TaskStatus::Failed, Event::Replayed), (TaskStatus::Cancelled, Event::Replayed)]);
    }

    #[test]
    fn an_event_has_one_outcome_in_a_status() {
        for (i, a) in TRANSITIONS.iter().enumerate() {
            assert!(!TRANSITIONS[..i].iter().any(|b| (a.from, a.event) == (b.from, b.event)), "{a:?}");
        }
        assert_eq!(TaskStatus::Completed.after(Event::Claimed), None);
    }

    #[test]
    fn a_status_is_read_in_any_case() {
        assert_eq!("failed".parse(), Ok(TaskStatus::Failed));
        assert!("done".parse::<TaskStatus>().is_err());
    }
}
