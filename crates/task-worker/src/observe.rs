use std::{fmt, sync::Arc, time::Duration};

use task_core::{Delivery, Name, Outcome};

use crate::panic::caught;

/// Is told of each attempt that a worker ran: for metrics of one's own.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use task_worker::{AttemptEnded, WorkerObserver};
///
/// #[derive(Default)]
/// struct Busy(AtomicU64);
///
/// impl WorkerObserver for Busy {
///     fn attempt_ended(&self, attempt: &AttemptEnded<'_>) {
///         self.0.fetch_add(attempt.ran.as_millis() as u64, Ordering::Relaxed);
///     }
/// }
///
/// # use task_worker::{TaskWorker, TaskRegistry, core::TaskQueue};
/// # fn worker(queue: TaskQueue, registry: TaskRegistry) -> TaskWorker {
/// TaskWorker::new(queue, registry).observer(Arc::new(Busy::default()))
/// # }
/// ```
pub trait WorkerObserver: Send + Sync + 'static {
    /// An attempt has ended. It is called from the worker's loop before the queue is told, so it must be quick; a
    /// panic is logged and changes nothing.
    fn attempt_ended(&self, attempt: &AttemptEnded<'_>);
}

/// An attempt that has ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AttemptEnded<'a> {
    /// The named queue.
    pub queue: &'a Name,
    /// The task's name.
    pub task: &'a Name,
    /// From when the attempt could have started until it was claimed, by the backend's clock.
    pub waited: Duration,
    /// From its start in this worker to its end, without the wait for a free slot or core.
    pub ran: Duration,
    /// How it ended.
    pub outcome: &'a Outcome,
}

/// The observer, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Observer(pub(crate) Option<Arc<dyn WorkerObserver>>);

impl Observer {
    pub(crate) fn tell(&self, delivery: &Delivery, ran: Duration, outcome: &Outcome) {
        let Some(observer) = &self.0 else { return };
        let record = &delivery.record;
        let could = record.due_at.unwrap_or(record.enqueued_at).max(record.enqueued_at);
        let waited = record.started_at.map_or(Duration::ZERO, |started| started.since(could));
        let attempt = AttemptEnded { queue: &record.queue, task: &record.task, waited, ran, outcome };
        if let Err(error) = caught(|| observer.attempt_ended(&attempt)) {
            tracing::warn!(%error, "the worker's observer failed");
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "an observer" } else { "none" })
    }
}
