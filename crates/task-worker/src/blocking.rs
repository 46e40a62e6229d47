use task_core::{TaskError, TaskResult};
use tokio::sync::oneshot;

use crate::{context::TaskContext, panic::caught};

/// Runs blocking code of a task on a thread of Tokio's pool for it.
///
/// Blocking code can't be stopped. Within a worker its thread is counted in the task's context, so that an attempt that
/// timed out or was cancelled is settled only once its code has really stopped.
pub async fn blocking<T: Send + 'static>(
    code: impl FnOnce() -> TaskResult<T> + Send + 'static,
) -> TaskResult<T> {
    let thread = TaskContext::current().map(|ctx| ctx.enter_thread());
    let (sender, receiver) = oneshot::channel();
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || {
        let ended = span.in_scope(|| caught(code).and_then(|ended| ended));
        // the value goes before the count, so that whoever sees no thread left finds the value
        let _ = sender.send(ended);
        drop(thread);
    });
    receiver
        .await
        .unwrap_or_else(|_| Err(TaskError::retry("the runtime was shut down before the task began")))
}
