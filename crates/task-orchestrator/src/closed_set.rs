use std::time::Duration;

use task_core::{
    BackendInfo, Batch, CancelAnswer, Claim, Claimed, Command, ControlAnswer, EnqueueReply, Explanation,
    Failure, FailureKind, Filter, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Outcome, Page, Queue,
    QueueError, QueueStats, SettleReply, SettleRequest, TaskId, TaskMessage, TaskQueue,
};

/// A queue whose workers are all here: what none of them knows, none ever will, so it fails at once instead of waiting
/// for a worker that has code of its name.
pub(crate) struct ClosedSet {
    queue: TaskQueue,
    known: String,
}

impl ClosedSet {
    /// Over this queue, for workers that know these names.
    pub(crate) fn new<'a>(queue: TaskQueue, names: impl IntoIterator<Item = &'a Name>) -> Self {
        let names: Vec<&str> = names.into_iter().take(20).map(Name::as_str).collect();
        Self { queue, known: names.join(", ") }
    }
}

impl Queue for ClosedSet {
    async fn settle(&self, mut request: SettleRequest) -> Result<SettleReply, QueueError> {
        for settlement in &mut request.settlements {
            if settlement.outcome == Outcome::NameUnknown {
                let name = &settlement.delivery.record.task;
                let message = format!("no worker here knows a task `{name}`; they know: {}", self.known);
                settlement.outcome =
                    Outcome::Failed { error: Failure::new(FailureKind::UnknownName, message) };
            }
        }
        self.queue.settle(request).await
    }

    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        Queue::enqueue(&self.queue, batch).await
    }
    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        self.queue.dequeue(claim).await
    }
    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        self.queue.heartbeat(beat).await
    }
    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        self.queue.release(queue, worker).await
    }
    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        self.queue.result(queue, id).await
    }
    async fn info(&self) -> Result<BackendInfo, QueueError> {
        self.queue.info().await
    }
    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        self.queue.wait(queue, id, timeout).await
    }
    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        self.queue.cancel(queue, id).await
    }
    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        self.queue.control(queue, command).await
    }
    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        self.queue.stats(queue).await
    }
    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        self.queue.list(queue, filter).await
    }
    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        self.queue.explain(queue, id).await
    }
    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        self.queue.queues().await
    }
    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        self.queue.message(queue, id).await
    }
    async fn detached(&self) -> Result<Option<Self>, QueueError> {
        let detached = self.queue.detached().await?;
        Ok(detached.map(|queue| Self { queue, known: self.known.clone() }))
    }
}
