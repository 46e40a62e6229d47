use std::{future::Future, time::Duration};

use task_core::{Backends, QueueError, TaskQueue};
use task_queue_redis::RedisQueue;
use tokio::time::{Instant, timeout_at};

/// The backends that other processes reach; `memory:` is none of them.
pub(crate) fn backends() -> Backends {
    Backends::new().with::<RedisQueue>()
}

/// Opens the queue; what may pass is tried again for so long.
pub(crate) async fn connect(url: &str, patience: Duration) -> Result<TaskQueue, QueueError> {
    let backends = backends();
    patiently(patience, Lost::IsSentAgain, || backends.connect(url)).await.map_err(|error| match error {
        QueueError::AnswerLost(source) => {
            let shown = task_core::without_password(url);
            QueueError::unreachable(format!("{shown}: {source}; is it the right address, and does it run?"))
        }
        other => other,
    })
}

/// What to do about a call whose answer was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// To send it again is the same.
    IsSentAgain,
    /// It may have been carried out, and would then be refused the second time.
    IsAnError,
}

/// Calls until it is answered, an error is one that time does not mend, or the time is over.
pub(crate) async fn patiently<T, F>(
    patience: Duration,
    lost: Lost,
    mut call: impl FnMut() -> F,
) -> Result<T, QueueError>
where
    F: Future<Output = Result<T, QueueError>>,
{
    const PAUSE: Duration = Duration::from_millis(200);
    let end = Instant::now() + patience;
    loop {
        let error = match timeout_at(end, call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error @ QueueError::Unreachable(_))) => error,
            Ok(Err(error @ QueueError::AnswerLost(_))) if lost == Lost::IsSentAgain => error,
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let waited = task_core::format_duration(patience);
                return Err(QueueError::answer_lost(format!("no answer within {waited}")));
            }
        };
        if Instant::now() + PAUSE >= end {
            return Err(error);
        }
        tracing::info!(%error, "trying again");
        tokio::time::sleep(PAUSE).await;
    }
}
