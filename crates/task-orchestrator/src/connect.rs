use std::time::Duration;

use task_core::{Backends, Queue as _, QueueError, TaskQueue};
use tokio::time::{Instant, timeout_at};

use crate::silence::Silence;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(300);

/// Opens the queue; what may pass is tried again for so long, `None`: without end, with `waiting` called at the first
/// time, and then ever more rarely.
pub(crate) async fn connect(
    backends: &Backends,
    url: &str,
    patience: Option<Duration>,
    waiting: impl Fn(&QueueError),
) -> Result<TaskQueue, QueueError> {
    let start = Instant::now();
    let end = start + patience.unwrap_or(Duration::from_secs(u32::MAX.into()));
    let mut silence: Option<Silence> = None;
    loop {
        let error = match timeout_at(end, backends.connect(url)).await {
            Ok(Ok(queue)) => return Ok(queue),
            Ok(Err(error)) if !error.is_transient() => return Err(error),
            Ok(Err(error)) => error,
            Err(_) => {
                let shown = task_core::without_password(url);
                QueueError::unreachable(format!("{shown} gave no answer in time"))
            }
        };
        if Instant::now() + PAUSE >= end {
            return Err(error);
        }
        if silence.as_mut().is_none_or(Silence::is_over) {
            waiting(&error);
            silence.get_or_insert_with(Silence::new);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells what the backend says that its owner should know.
pub(crate) async fn warn(queue: &TaskQueue) {
    match queue.info().await {
        Ok(info) => info.warnings.iter().for_each(|warning| tracing::warn!("{warning}")),
        Err(error) => tracing::debug!(%error, "the queue says nothing of itself"),
    }
}
