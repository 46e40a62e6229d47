use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{AttemptError, Failure, Name, Outcome, TaskId, TaskMessage, TaskStatus, Timestamp};

/// What is known of a task: its status, its result or why there is none, its counts and times.
///
/// As JSON it is the object that every command prints and every endpoint answers: `id`, `task`, `queue`, `status`,
/// `result` or `error`, `attempts`, `enqueued_at`, `started_at`, `finished_at`, `worker`, and what else there is to say.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResultMessage {
    /// The task's id.
    pub id: TaskId,
    /// Its named queue.
    pub queue: Name,
    /// Its name.
    pub task: Name,
    /// Where it stands.
    pub status: TaskStatus,
    /// What it returned, as MessagePack, if it COMPLETED.
    pub result: Option<Bytes>,
    /// Why it has no result, if it FAILED, was SKIPPED or CANCELLED; while it waits for a RETRY, the last error.
    pub error: Option<Failure>,
    /// How often it was claimed, without the claims of workers that had no code of its name; else it only grows.
    pub attempts: u32,
    /// How many of its runs failed, since the last replay.
    pub failures: u32,
    /// How often its worker died under it, since the last replay.
    pub crashes: u32,
    /// How often a worker gave it back unfinished.
    pub releases: u32,
    /// How often it was replayed.
    pub generation: u32,
    /// When it was enqueued, by the backend's clock.
    pub enqueued_at: Timestamp,
    /// When it may start, or start again, if that is later than now.
    pub due_at: Option<Timestamp>,
    /// When its last attempt started. A claim by a worker that has no code of its name was none, and leaves nothing.
    pub started_at: Option<Timestamp>,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// The label of the worker that ran it last.
    pub worker: Option<Arc<str>>,
    /// How far it says it is.
    pub progress: Option<Progress>,
    /// A cancel was asked for while it runs.
    pub cancel_requested: bool,
    /// Its last failed attempts, oldest first.
    pub errors: Vec<AttemptError>,
    /// [`TaskMessage::fingerprint`], by which the same task enqueued again is known.
    pub fingerprint: u64,
}

/// How far a running task says it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// From 0 to 1.
    pub fraction: f32,
    /// In words; at most 200 bytes.
    pub note: String,
    /// When the task said so, or the backend took it in.
    pub at: Timestamp,
}

impl Progress {
    /// Progress from 0 to 1 (clamped; NaN is 0) with a note (cut at 200 bytes).
    pub fn new(fraction: f32, note: impl Into<String>, at: Timestamp) -> Self {
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        let mut note = note.into();
        crate::failure::cut(&mut note, 200);
        Self { fraction, note, at }
    }
}

impl ResultMessage {
    /// How long a result is kept where nothing else is said, from the task's end.
    pub const RETENTION: Duration = Duration::from_secs(24 * 3600);
    /// The same for a task that FAILED.
    pub const RETENTION_FAILED: Duration = Duration::from_secs(7 * 24 * 3600);
    /// An id is remembered at least so long after the task's end, also when its result is not kept.
    pub const ID_REMEMBERED: Duration = Duration::from_secs(600);

    /// What is known of a task that was just enqueued.
    pub fn pending(message: &TaskMessage, now: Timestamp) -> Self {
        Self {
            id: message.id.clone(),
            queue: message.queue.clone(),
            task: message.name.clone(),
            status: TaskStatus::Pending,
            result: None,
            error: None,
            attempts: 0,
            failures: 0,
            crashes: 0,
            releases: 0,
            generation: 0,
            enqueued_at: now,
            due_at: message.start.map(|start| start.from(now)).filter(|due| *due > now),
            started_at: None,
            finished_at: None,
            worker: None,
            progress: None,
            cancel_requested: false,
            errors: Vec::new(),
            fingerprint: message.fingerprint(),
        }
    }

    /// What is known of a running task after its attempt ended so at `now`; a cancel that was asked for wins over
    /// anything but a value. `due_at` of a retry is `now` plus its delay. This is the law that every backend follows.
    #[must_use]
    pub fn settled(mut self, outcome: &Outcome, now: Timestamp) -> Self {
        self.settle(outcome.clone(), now);
        self
    }

    /// The same in place.
    pub fn settle(&mut self, outcome: Outcome, now: Timestamp) {
        use crate::FailureKind as Kind;
        let cancelled = self.cancel_requested && !matches!(outcome, Outcome::Completed { .. });
        self.due_at = match &outcome {
            Outcome::Retry { delay, .. } if !cancelled => Some(now + *delay),
            _ => None,
        };
        (self.status, self.error) = match outcome {
            Outcome::Completed { result } => {
                self.result = Some(result);
                (TaskStatus::Completed, None)
            }
            Outcome::Skipped { reason } => (TaskStatus::Skipped, Some(Failure::new(Kind::Skipped, reason))),
            Outcome::Cancelled { reason } => {
                (TaskStatus::Cancelled, Some(Failure::new(Kind::Cancelled, reason)))
            }
            Outcome::Failed { error } => {
                self.note_failure(&error, now);
                (TaskStatus::Failed, Some(error))
            }
            Outcome::Retry { error, .. } => {
                self.note_failure(&error, now);
                (TaskStatus::Retry, Some(error))
            }
            Outcome::Released => {
                self.releases += 1;
                (TaskStatus::Pending, None)
            }
            Outcome::NameUnknown => {
                // it never really started
                self.attempts = self.attempts.saturating_sub(1);
                (self.started_at, self.worker) = (None, None);
                (TaskStatus::Pending, None)
            }
        };
        if cancelled && self.status != TaskStatus::Cancelled {
            self.status = TaskStatus::Cancelled;
            self.error = Some(Failure::new(Kind::Cancelled, "cancelled while it ran"));
        }
        if self.status.is_final() {
            self.finished_at = Some(now);
            self.cancel_requested = false;
        } else {
            self.progress = None;
        }
    }

    fn note_failure(&mut self, error: &Failure, now: Timestamp) {
        self.failures += 1;
        let worker = self.worker.as_deref().map(str::to_owned);
        self.remember(AttemptError::new(self.attempts, now, worker, error.clone()));
    }

    /// Appends to the history, which keeps the last [`AttemptError::KEPT`].
    pub fn remember(&mut self, error: AttemptError) {
        if self.errors.len() >= AttemptError::KEPT {
            self.errors.drain(..=self.errors.len() - AttemptError::KEPT);
        }
        self.errors.push(error);
    }

    /// How long a result of this status is kept; `asked` is what the task's message says of it.
    pub fn retention(status: TaskStatus, asked: Option<Duration>) -> Duration {
        let default = if status == TaskStatus::Failed { Self::RETENTION_FAILED } else { Self::RETENTION };
        asked.unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FailureKind, TaskOptions};

    fn running() -> ResultMessage {
        let message = TaskMessage::new(TaskId::new(), "extract", vec![0xc0], TaskOptions::default()).unwrap();
        let pending = ResultMessage::pending(&message, Timestamp::from_millis(1_000));
        let (started_at, worker) = (Some(Timestamp::from_millis(1_500)), Some("worker_1".into()));
        ResultMessage { status: TaskStatus::Running, attempts: 1, started_at, worker, ..pending }
    }

    fn outcomes() -> Vec<Outcome> {
        let error = Failure::new(FailureKind::Error, "no");
        vec![
            Outcome::Completed { result: Bytes::from_static(&[1]) },
            Outcome::Skipped { reason: "nothing to do".into() },
            Outcome::Cancelled { reason: "told to".into() },
            Outcome::Retry { error: error.clone(), delay: Duration::from_secs(3) },
            Outcome::Failed { error },
            Outcome::Released,
            Outcome::NameUnknown,
        ]
    }

    #[test]
    fn a_cancel_that_was_asked_for_wins_over_anything_but_a_value() {
        for outcome in outcomes() {
            let asked = ResultMessage { cancel_requested: true, ..running() };
            let after = asked.settled(&outcome, Timestamp::from_millis(2_000));
            let value = matches!(outcome, Outcome::Completed { .. });
            assert_eq!(after.status, if value { TaskStatus::Completed } else { TaskStatus::Cancelled });
            assert_eq!(after.result.is_some(), value);
            assert_eq!((after.due_at, after.cancel_requested), (None, false));
        }
    }

    #[test]
    fn only_a_failed_run_counts_as_a_failure_and_only_a_final_status_has_an_end() {
        for outcome in outcomes() {
            let after = running().settled(&outcome, Timestamp::from_millis(2_000));
            let failed = matches!(outcome, Outcome::Failed { .. } | Outcome::Retry { .. });
            assert_eq!((after.failures, after.errors.len()), (u32::from(failed), usize::from(failed)));
            assert_eq!(after.releases, u32::from(matches!(outcome, Outcome::Released)));
            let ran = outcome != Outcome::NameUnknown;
            assert_eq!((after.attempts, after.worker.is_some()), (u32::from(ran), ran), "{outcome:?}");
            assert_eq!(after.started_at.is_some(), ran, "{outcome:?}");
            assert_eq!(after.finished_at.is_some(), after.status.is_final(), "{outcome:?}");
            assert_eq!(after.due_at.is_some(), after.status == TaskStatus::Retry);
        }
    }

    #[test]
    fn the_history_keeps_the_last_ten_errors() {
        let mut result = running();
        for attempt in 1..=25 {
            let failure = Failure::new(FailureKind::Error, "no");
            result.remember(AttemptError::new(attempt, Timestamp::default(), None, failure));
        }
        let kept: Vec<u32> = result.errors.iter().map(|e| e.attempt).collect();
        assert_eq!(kept, (16..=25).collect::<Vec<u32>>());
    }
}
