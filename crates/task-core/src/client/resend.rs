//! Sending a call again after a lost answer. Every call of [`Queue`](crate::Queue) may be sent again, so the only
//! questions are for how long, how often, and what is known when time is up.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::{QueueError, RetryPolicy};

/// What is known of a call that was given up.
pub(super) enum GaveUp {
    /// It was never sent, for this last reason.
    NotSent(QueueError),
    /// It was sent at least once and never answered.
    Unknown(QueueError),
    /// The backend answered with an error that time does not mend.
    Refused(QueueError),
}

/// The moment so long after another; what no clock counts to is ten years away.
pub(super) fn after(start: Instant, by: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    start + by.min(LONGEST)
}

/// Calls until it is answered, an error is not transient, or `deadline`, which counts from `start`, is over.
pub(super) async fn resend<T, F>(
    start: Instant,
    deadline: Duration,
    mut call: impl FnMut() -> F,
) -> Result<T, GaveUp>
where
    F: Future<Output = Result<T, QueueError>>,
{
    // the first attempts follow at once, since a broken pooled connection is replaced in a moment
    let pauses = RetryPolicy::exponential(Duration::from_millis(10), Duration::from_millis(500));
    let end = after(start, deadline);
    if Instant::now() >= end && !deadline.is_zero() {
        let late = "the calls before it took until its deadline";
        return Err(GaveUp::NotSent(QueueError::unreachable(late)));
    }
    let mut sent = false;
    for attempt in 1.. {
        let error = match timeout_at(end, call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error @ QueueError::Unreachable(_))) => error,
            Ok(Err(error @ QueueError::AnswerLost(_))) => {
                sent = true;
                error
            }
            // what an earlier attempt may have done, a refusal of this one does not undo
            Ok(Err(error)) if sent => return Err(GaveUp::Unknown(error)),
            Ok(Err(error)) => return Err(GaveUp::Refused(error)),
            // the call may have been on its way, or waiting for a connection: what is not known counts as sent
            Err(_) => {
                sent = true;
                QueueError::answer_lost(format!("no answer within {}", crate::format_duration(deadline)))
            }
        };
        let next = Instant::now() + pauses.delay(attempt);
        if next >= end {
            return Err(if sent { GaveUp::Unknown(error) } else { GaveUp::NotSent(error) });
        }
        tracing::debug!(%error, attempt, "sending again");
        sleep_until(next).await;
    }
    unreachable!("the loop ends by returning")
}
