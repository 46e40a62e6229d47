//! What becomes of an attempt: one pure function.

use std::time::Duration;

use bytes::Bytes;
use task_core::{ErrorKind, Failure, FailureKind, Outcome, RetryPolicy, TaskResult, format_duration};

/// How an attempt ended, as the worker saw it.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its code ended by itself.
    Returned(TaskResult<Bytes>),
    /// It was told to stop, for this reason, and ended, with this if with anything.
    Stopped(Why, Option<TaskResult<Bytes>>),
}

/// Why an attempt was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It took longer than this.
    Timeout(Duration),
    /// Somebody cancelled the task.
    Cancel,
    /// The worker stops.
    Shutdown,
}

/// What is said of a task's retries, and of its result's size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_retries: u32,
    pub(crate) backoff: RetryPolicy,
    /// The most bytes of a result.
    pub(crate) max_result: usize,
}

/// What is told to the queue of an attempt that ended so, after `failures` failed ones. A value always counts.
pub(crate) fn classify(ended: Ended, failures: u32, rules: Rules) -> Outcome {
    match ended {
        Ended::Returned(Ok(result)) | Ended::Stopped(_, Some(Ok(result))) => completed(result, rules),
        Ended::Returned(Err(error)) => {
            let failure = Failure::from(&error);
            match error.kind() {
                ErrorKind::Skip => Outcome::Skipped { reason: failure.message },
                ErrorKind::Cancelled => Outcome::Cancelled { reason: failure.message },
                ErrorKind::Fatal => Outcome::Failed { error: failure },
                ErrorKind::Retry { after } => retry(failure, after, failures, rules),
                _ => retry(failure, None, failures, rules),
            }
        }
        Ended::Stopped(Why::Timeout(timeout), _) => {
            let message = format!("it took longer than its timeout of {}", format_duration(timeout));
            retry(Failure::new(FailureKind::Timeout, message), None, failures, rules)
        }
        Ended::Stopped(Why::Cancel, _) => Outcome::Cancelled { reason: "cancelled while it ran".into() },
        Ended::Stopped(Why::Shutdown, _) => Outcome::Released,
    }
}

fn completed(result: Bytes, rules: Rules) -> Outcome {
    if result.len() <= rules.max_result {
        return Outcome::Completed { result };
    }
    let message = format!(
        "its result has {} bytes, and {} are allowed; keep the data elsewhere and return its name, or raise the limit with \
         TaskQueue::max_payload",
        result.len(),
        rules.max_result
    );
    Outcome::Failed { error: Failure::new(FailureKind::Result, message) }
}

fn retry(error: Failure, after: Option<Duration>, failures: u32, rules: Rules) -> Outcome {
    if failures >= rules.max_retries {
        return Outcome::Failed { error };
    }
    let delay = after.unwrap_or_else(|| rules.backoff.delay(failures + 1));
    Outcome::Retry { error, delay }
}

#[cfg(test)]
mod tests {
    use task_core::TaskError;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules() -> Rules {
        Rules { max_retries: 3, backoff: RetryPolicy::fixed(SECOND), max_result: 4 }
    }

    fn returned(error: TaskError, failures: u32) -> Outcome {
        classify(Ended::Returned(Err(error)), failures, rules())
    }

    #[test]
    fn a_failed_attempt_is_tried_again_while_retries_are_left() {
        for failures in 0..3 {
            assert!(
                matches!(returned("no".into(), failures), Outcome::Retry { delay, .. } if delay == SECOND)
            );
        }
        assert!(matches!(returned("no".into(), 3), Outcome::Failed { .. }));
        let chosen = TaskError::retry_after(SECOND * 9, "later");
        assert!(matches!(returned(chosen, 0), Outcome::Retry { delay, .. } if delay == SECOND * 9));
        assert!(matches!(returned(TaskError::retry_after(SECOND, "later"), 3), Outcome::Failed { .. }));
    }

    #[test]
    fn what_the_task_says_of_its_end_holds() {
        assert!(matches!(returned(TaskError::fatal("no"), 0), Outcome::Failed { .. }));
        assert_eq!(returned(TaskError::skip("done"), 0), Outcome::Skipped { reason: "done".into() });
        assert!(matches!(returned(TaskError::cancelled(), 0), Outcome::Cancelled { .. }));
    }

    #[test]
    fn a_value_counts_however_late_and_what_stopped_it_else() {
        let whys = [Why::Timeout(SECOND), Why::Cancel, Why::Shutdown];
        for why in whys {
            let ended = Ended::Stopped(why, Some(Ok(Bytes::from_static(b"1"))));
            assert!(matches!(classify(ended, 0, rules()), Outcome::Completed { .. }));
        }
        let stopped = whys.map(|why| classify(Ended::Stopped(why, Some(Err("no".into()))), 0, rules()));
        assert!(matches!(&stopped[0], Outcome::Retry { error, .. } if error.kind == FailureKind::Timeout
            && error.message == "it took longer than its timeout of 1s"));
        assert!(matches!(stopped[1], Outcome::Cancelled { .. }));
        assert_eq!(stopped[2], Outcome::Released);
    }

    #[test]
    fn a_result_too_large_fails_at_once_and_says_so() {
        let ended = Ended::Returned(Ok(Bytes::from_static(b"12345")));
        let Outcome::Failed { error } = classify(ended, 0, rules()) else { panic!("not failed") };
        assert_eq!(error.kind, FailureKind::Result);
        assert!(error.message.starts_with("its result has 5 bytes, and 4 are allowed; "));
    }
}
