use std::{fmt, sync::Arc, time::Duration};

use task_core::{Delivery, Name, Outcome, Timestamp};

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
    /// From when the attempt could have started until it was claimed, by the backend's clock. After a failed attempt,
    /// from the end of that, so the backoff is in it; nothing for the first attempt after a replay, of which no time is kept.
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
        let waited = match (could_start(delivery), record.started_at) {
            (Some(could), Some(started)) => started.since(could),
            _ => Duration::ZERO,
        };
        let attempt = AttemptEnded { queue: &record.queue, task: &record.task, waited, ran, outcome };
        if let Err(error) = caught(|| observer.attempt_ended(&attempt)) {
            tracing::warn!(%error, "the worker's observer failed");
        }
    }
}

/// The record of what runs does not say any more when it was due.
fn could_start(delivery: &Delivery) -> Option<Timestamp> {
    let record = &delivery.record;
    if record.generation > 0 && record.failures == 0 {
        return None;
    }
    let asked = delivery.message.as_ref().ok().and_then(|message| message.start);
    let asked = asked.map(|start| start.from(record.enqueued_at));
    let last = record.errors.last().map(|error| error.at);
    [Some(record.enqueued_at), asked, last].into_iter().flatten().max()
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "an observer" } else { "none" })
    }
}

#[cfg(test)]
mod tests {
    use task_core::{
        AttemptError, Failure, FailureKind, Incarnation, ResultMessage, TaskMessage, TaskOptions, Token,
    };

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1000)
    }

    fn delivery(options: TaskOptions, change: impl FnOnce(&mut ResultMessage)) -> Delivery {
        let message = TaskMessage::new("a".parse().unwrap(), "t", vec![0xc0], options).unwrap();
        let mut record = ResultMessage::pending(&message, at(0));
        record.due_at = None;
        change(&mut record);
        Delivery::new(Token::new(Incarnation::new(), 1), &message.to_record().into(), record)
    }

    /// A task that was delayed by an hour counted as one that had waited for an hour, and so did the next attempt of
    /// one that had failed: an alert on waits was of no use.
    #[test]
    fn a_wait_begins_when_the_attempt_could_have_started() {
        let plain = delivery(TaskOptions::default(), |_| ());
        assert_eq!(could_start(&plain), Some(at(0)));
        let delayed = delivery(TaskOptions::default().delay(Duration::from_secs(3600)), |_| ());
        assert_eq!(could_start(&delayed), Some(at(3600)));
        let failed = |record: &mut ResultMessage| {
            let failure = Failure::new(FailureKind::Error, "no");
            record.failures = 1;
            record.errors.push(AttemptError::new(1, at(50), None, failure));
        };
        assert_eq!(could_start(&delivery(TaskOptions::default(), failed)), Some(at(50)));
        let replayed = delivery(TaskOptions::default(), |record| {
            failed(record);
            (record.generation, record.failures) = (1, 0);
        });
        assert_eq!(could_start(&replayed), None);
    }
}
