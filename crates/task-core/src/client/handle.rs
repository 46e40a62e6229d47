use std::{any::type_name, fmt, marker::PhantomData, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::resend::after;
use crate::{
    CancelAnswer, Explanation, Failure, FailureKind, Lookup, Name, Payload, Queue as _, QueueError,
    ResultError, ResultMessage, TaskId, TaskQueue, TaskStatus,
};

/// A task that was enqueued; `T` is what it returns. Cheap to clone; dropping it changes nothing.
pub struct TaskHandle<T> {
    queue: TaskQueue,
    name: Name,
    id: TaskId,
    new: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> TaskHandle<T> {
    pub(super) fn new(queue: TaskQueue, name: Name, id: TaskId, new: bool) -> Self {
        Self { queue, name, id, new, output: PhantomData }
    }

    /// The task's id: with its named queue all that is needed to find it again.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Its named queue.
    pub fn queue(&self) -> &Name {
        &self.name
    }

    /// Whether this enqueue brought the task in: false if it was there already, or if a live task holds its unique key,
    /// which this is the handle of then. With an id of your own it is false, too, if this call was sent again since its
    /// first answer was lost.
    pub fn is_new(&self) -> bool {
        self.new
    }

    /// Where the task stands; `None` if the queue does not know it (any more).
    ///
    /// # Errors
    /// If the queue could not be asked.
    pub async fn status(&self) -> Result<Option<TaskStatus>, QueueError> {
        Ok(self.message().await?.map(|record| record.status))
    }

    /// Everything that is known of the task; `None` if the queue does not know it (any more).
    ///
    /// # Errors
    /// If the queue could not be asked.
    pub async fn message(&self) -> Result<Option<ResultMessage>, QueueError> {
        Ok(self.queue.call(|| self.queue.result(&self.name, &self.id)).await?.into_found())
    }

    /// Cancels the task: at once if it waits; if it runs, its worker is told.
    ///
    /// # Errors
    /// If the queue could not be told.
    pub async fn cancel(&self) -> Result<CancelAnswer, QueueError> {
        self.queue.call(|| self.queue.cancel(&self.name, &self.id)).await
    }

    /// Every reason why the task does not run.
    ///
    /// # Errors
    /// If the queue could not be asked.
    pub async fn explain(&self) -> Result<Option<Explanation>, QueueError> {
        self.queue.call(|| self.queue.explain(&self.name, &self.id)).await
    }

    /// Waits until the task is final, up to `timeout`, and answers what is known of it then.
    ///
    /// # Errors
    /// [`ResultError::NotFound`], [`ResultError::Expired`], or [`ResultError::Queue`] if the queue was away for the
    /// whole of the time, and at least for the deadline of the queue's handle; one that takes the call and never answers
    /// is given up a deadline after the time.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn finished(&self, timeout: Duration) -> Result<ResultMessage, ResultError> {
        let (start, deadline) = (Instant::now(), self.queue.deadline_of_a_call());
        let end = after(start, timeout);
        let give_up = end.max(after(start, deadline));
        loop {
            // a wait outlasts the deadline of one call by right, so the errors are counted here
            let left = end.saturating_duration_since(Instant::now());
            let hangs = after(Instant::now(), left.saturating_add(deadline));
            let answer = timeout_at(hangs, self.queue.wait(&self.name, &self.id, left)).await;
            match answer.unwrap_or_else(|_| Err(QueueError::answer_lost("a wait was not answered in time"))) {
                Ok(Lookup::Found(record)) => return Ok(*record),
                Ok(Lookup::Expired) => return Err(ResultError::Expired { id: self.id.clone() }),
                Ok(Lookup::NotFound) => {
                    return Err(ResultError::NotFound { id: self.id.clone(), queue: self.name.clone() });
                }
                Err(error) if error.is_transient() && Instant::now() < give_up => {
                    tracing::debug!(%error, id = %self.id, "waiting again");
                    let pause = Duration::from_millis(200);
                    tokio::time::sleep(pause.min(give_up.saturating_duration_since(Instant::now()))).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<T: Payload> TaskHandle<T> {
    /// Waits for what the task returns, up to `timeout`.
    ///
    /// # Errors
    /// Why there is no value: [`ResultError`] has a variant for each reason.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn result(&self, timeout: Duration) -> Result<T, ResultError> {
        let record = self.finished(timeout).await?;
        let id = self.id.clone();
        let failure = || {
            record.error.clone().unwrap_or_else(|| Failure::new(FailureKind::Other, "for no reason given"))
        };
        match record.status {
            TaskStatus::Completed => T::from_bytes(record.result.as_deref().unwrap_or(&[0xc0]))
                .map_err(|source| ResultError::Decode { id, expected: type_name::<T>(), source }),
            TaskStatus::Failed => Err(ResultError::Failed { id, failure: failure() }),
            TaskStatus::Cancelled => Err(ResultError::Cancelled { id, failure: failure() }),
            TaskStatus::Skipped => Err(ResultError::Skipped { id, failure: failure() }),
            status => Err(ResultError::TimedOut { id, status, after: timeout }),
        }
    }
}

impl<T> Clone for TaskHandle<T> {
    fn clone(&self) -> Self {
        Self::new(self.queue.clone(), self.name.clone(), self.id.clone(), self.new)
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskHandle({} in {})", self.id, self.name)
    }
}
