//! The storage contract.

mod claim;
mod control;
mod enqueue;
mod heartbeat;
mod info;
mod settle;
mod stats;

use std::{future::Future, time::Duration};

pub use claim::{Claim, Claimed, Delivery, Registration};
pub use control::{CancelAnswer, Command, ControlAnswer, WorkerCommand};
pub use enqueue::{Batch, EnqueueReply, Enqueued};
pub use heartbeat::{Heartbeat, HeartbeatReply, Holds, ProgressUpdate};
pub use info::{BackendInfo, Capabilities, Capability, Durability};
pub use settle::{Outcome, SettleAnswer, SettleReply, SettleRequest, Settlement};
pub use stats::{Explanation, Filter, Page, QueueStats, Reason, Totals, WorkerInfo};

use crate::{Incarnation, Name, QueueError, ResultMessage, TaskId, TaskMessage};

/// The storage contract: each method is one atomic transition, concerns one named queue, and may be sent again.
///
/// A backend writes plain `async fn`s. Required are [`enqueue`](Self::enqueue), [`dequeue`](Self::dequeue),
/// [`settle`](Self::settle), [`heartbeat`](Self::heartbeat), [`release`](Self::release), [`result`](Self::result) and
/// [`info`](Self::info); the rest answers [`QueueError::Unsupported`] or works by polling until a backend does better.
/// What [`info`](Self::info) claims is tested by the conformance suite of `task-testkit`, which *is* the definition.
///
/// What holds for every method:
/// - *Time is the backend's*: leases, due times and retention go by its clock, and relative times travel as
///   durations.
/// - *Errors*: [`QueueError::Unreachable`] if surely nothing was sent, [`QueueError::AnswerLost`] if the call may have
///   taken effect; then the caller sends the same call again. Waiting for a backend that is away is the caller's
///   business, not the backend's.
/// - *Cancel safety*: a dropped future may have taken effect or not, as after a lost answer.
/// - *One bad message, task or worker never stops the others*: answers are given one by one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a queue backend",
    note = "implement `task_core::Queue` for it with plain `async fn`s; docs/queue.md shows a whole one"
)]
pub trait Queue: Send + Sync + 'static {
    /// Takes tasks in: for each, its message, its record PENDING and its unique key in one step, or nothing of it.
    ///
    /// Idempotent by id: a task whose id is there is left as it is and answered [`Enqueued::Exists`]. An answer for
    /// each message, in their order; of two of one id the second is answered so, too. Once this returns `Ok`, every task that is answered [`Enqueued::Queued`] reaches
    /// exactly one final state, as far as the [`Durability`] in the reply goes.
    fn enqueue(&self, batch: Batch) -> impl Future<Output = Result<EnqueueReply, QueueError>> + Send;

    /// Gives due tasks to a worker: for each, the claim, RUNNING, the attempt's count and the token in one step.
    ///
    /// Highest priority first, first in first out within one; only tasks whose names the worker did not find unknown
    /// before; at most `max_tasks` and about `max_bytes` (the first task always fits). With nothing due it waits up
    /// to `wait`, without polling, and then answers none. The same claim number again gives the same tasks, as long
    /// as it is above the `acked` one and among the last eight; an older one gives none. A claim registers the
    /// incarnation if it isn't yet, and renews its lease; one that waits may leave that to the last before it.
    ///
    /// # Errors
    /// [`QueueError::Closed`] if the incarnation was released or its lease ended.
    fn dequeue(&self, claim: Claim) -> impl Future<Output = Result<Claimed, QueueError>> + Send;

    /// Ends attempts, fenced by their tokens: result, retry time, unique key and counters change in the same step.
    ///
    /// An answer for each settlement, in their order; one that is refused never fails its batch. `then` is a claim
    /// that travels in the same round trip and is carried out afterwards; it does not wait.
    fn settle(&self, request: SettleRequest) -> impl Future<Output = Result<SettleReply, QueueError>> + Send;

    /// Moves the lease of an incarnation on: one write a worker, not one a task. Carries progress, registers the
    /// incarnation if it isn't yet, and does the backend's bounded housekeeping (due tasks, dead workers, expiry).
    ///
    /// What the worker does not [hold](Holds) any more, by its own word, and the backend has as RUNNING by it, is given
    /// back as the tasks of a dead worker are, in bounded steps: the backend lost how it ended.
    ///
    /// With a `wait` it stays until there is something to say, or the time is over: it is the push channel for
    /// cancels and commands. A closed incarnation is answered so at once.
    fn heartbeat(&self, beat: Heartbeat) -> impl Future<Output = Result<HeartbeatReply, QueueError>> + Send;

    /// Closes a worker's start for good, all its generations, and gives back what it holds; answers how many tasks.
    ///
    /// Every later call of it is refused. The tasks go to the front of the queue, or to FAILED past `max_crashes`, or
    /// to CANCELLED if that was asked for. Idempotent; the incarnation need not be known. It is closed at once, and
    /// its tasks are given back in bounded steps.
    fn release(
        &self,
        queue: &Name,
        worker: Incarnation,
    ) -> impl Future<Output = Result<u64, QueueError>> + Send;

    /// What is known of a task.
    fn result(&self, queue: &Name, id: &TaskId) -> impl Future<Output = Result<Lookup, QueueError>> + Send;

    /// What this backend can do, and how durable it is.
    fn info(&self) -> impl Future<Output = Result<BackendInfo, QueueError>> + Send;

    /// Waits until a task is final, up to `timeout`, and answers what is known of it then. A task that is not there
    /// is answered at once.
    ///
    /// Pushed where the backend can; this default polls every 50 ms.
    fn wait(
        &self,
        queue: &Name,
        id: &TaskId,
        timeout: Duration,
    ) -> impl Future<Output = Result<Lookup, QueueError>> + Send {
        async move {
            let start = tokio::time::Instant::now();
            loop {
                let found = self.result(queue, id).await?;
                let left = timeout.saturating_sub(start.elapsed());
                if !found.is_live() || left.is_zero() {
                    return Ok(found);
                }
                tokio::time::sleep(left.min(Duration::from_millis(50))).await;
            }
        }
    }

    /// Cancels a task: at once if it waits; if it runs, its worker is told within a second.
    fn cancel(
        &self,
        _queue: &Name,
        _id: &TaskId,
    ) -> impl Future<Output = Result<CancelAnswer, QueueError>> + Send {
        unsupported("cancel", "let the task end by its timeout")
    }

    /// Pauses, resumes, replays, deletes, purges, limits, or speaks to a worker.
    fn control(
        &self,
        _queue: &Name,
        _command: Command,
    ) -> impl Future<Output = Result<ControlAnswer, QueueError>> + Send {
        unsupported("control commands", "use a backend that has them, such as Redis")
    }

    /// Counts, ages, totals and workers of a named queue, at a cost that does not grow with its length.
    fn stats(&self, _queue: &Name) -> impl Future<Output = Result<QueueStats, QueueError>> + Send {
        unsupported("statistics", "use a backend that has them, such as Redis")
    }

    /// Tasks by state and name, a bounded scan a page: it may return fewer than asked for, also none, with more to
    /// come.
    fn list(&self, _queue: &Name, _filter: Filter) -> impl Future<Output = Result<Page, QueueError>> + Send {
        unsupported("lists of tasks", "ask for tasks by their ids")
    }

    /// Every reason why a task does not run, counted.
    ///
    /// This default says what follows from the task's record.
    fn explain(
        &self,
        queue: &Name,
        id: &TaskId,
    ) -> impl Future<Output = Result<Option<Explanation>, QueueError>> + Send {
        async move { Ok(self.result(queue, id).await?.into_found().map(Explanation::from_record)) }
    }

    /// The named queues that were used. For people to look at; nothing is decided by it.
    fn queues(&self) -> impl Future<Output = Result<Vec<Name>, QueueError>> + Send {
        unsupported("list of queues", "name the queue")
    }

    /// The message of a task as it is stored, which is how it was enqueued and when; for exports. `None` if there is no
    /// such task, or if its message is not kept any more, as that of one that COMPLETED or was SKIPPED may not be.
    ///
    /// # Errors
    /// [`QueueError::Corrupt`] if it can't be read, or a newer release wrote it.
    fn message(
        &self,
        _queue: &Name,
        _id: &TaskId,
    ) -> impl Future<Output = Result<Option<TaskMessage>, QueueError>> + Send {
        unsupported("reading of messages", "ask for what is known of the task with `result`")
    }

    /// The same backend over connections of its own, made on the caller's runtime, so that a thread with a runtime of
    /// its own depends on no other. `None`: this very handle can be used from any runtime.
    fn detached(&self) -> impl Future<Output = Result<Option<Self>, QueueError>> + Send
    where
        Self: Sized,
    {
        async { Ok(None) }
    }
}

async fn unsupported<T: Send>(what: &'static str, remedy: &'static str) -> Result<T, QueueError> {
    Err(QueueError::Unsupported { what, remedy })
}

/// What a queue knows of an id.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// The task's record.
    Found(Box<ResultMessage>),
    /// The task was there, and its retention is over; its id is still remembered.
    Expired,
    /// There is no such task, or it is long forgotten.
    NotFound,
}

impl Lookup {
    /// The record, if there is one.
    pub fn into_found(self) -> Option<ResultMessage> {
        match self {
            Self::Found(record) => Some(*record),
            Self::Expired | Self::NotFound => None,
        }
    }

    /// Whether there is a record that is not final yet.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Found(record) if !record.status.is_final())
    }
}

impl From<ResultMessage> for Lookup {
    fn from(record: ResultMessage) -> Self {
        Self::Found(Box::new(record))
    }
}
