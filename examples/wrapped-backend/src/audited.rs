use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    sync::Arc,
    time::Duration,
};

use task_core::{
    BackendInfo, Backends, Batch, CancelAnswer, Claim, Claimed, Command, ControlAnswer, EnqueueReply,
    Explanation, Filter, FromUrl, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Outcome, Page, Queue,
    QueueError, QueueStats, SettleAnswer, SettleReply, SettleRequest, TaskId, TaskQueue,
};
use task_queue_memory::MemoryQueue;
use task_queue_redis::RedisQueue;

/// Another backend, with a line in a file for each attempt that ended: `audited:memory:`, `audited:localhost:6379`.
///
/// The file is `audit.log`, or what AUDIT_LOG names. Many processes may append to it.
pub(crate) struct Audited {
    queue: TaskQueue,
    log: Arc<File>,
}

fn inner() -> Backends {
    Backends::new().with::<MemoryQueue>().with::<RedisQueue>()
}

impl FromUrl for Audited {
    const URLS: &'static str = "audited:URL";

    fn accepts(url: &str) -> bool {
        url.strip_prefix("audited:").is_some_and(|url| inner().accepts(url))
    }

    fn in_process(url: &str) -> bool {
        url.strip_prefix("audited:").is_some_and(|url| inner().in_process(url))
    }

    fn outlives_process(url: &str) -> bool {
        url.strip_prefix("audited:").is_some_and(|url| inner().outlives_process(url))
    }

    async fn from_url(url: &str) -> Result<Self, QueueError> {
        let path = std::env::var("AUDIT_LOG").unwrap_or_else(|_| "audit.log".into());
        let log = OpenOptions::new().append(true).create(true).open(&path);
        let log = log.map_err(|error| QueueError::invalid(format!("the audit log `{path}`: {error}")))?;
        let queue = inner().connect(url.trim_start_matches("audited:")).await?;
        Ok(Self { queue, log: log.into() })
    }
}

impl Queue for Audited {
    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        let ends: Vec<_> =
            request.settlements.iter().map(|end| (end.delivery.id().clone(), end.outcome.clone())).collect();
        let reply = self.queue.settle(request).await?;
        for ((id, outcome), answer) in ends.into_iter().zip(&reply.answers) {
            if *answer == SettleAnswer::Done {
                let how = match outcome {
                    Outcome::Completed { .. } => "completed",
                    Outcome::Released => "given back",
                    _ => "not completed",
                };
                // one write, so that lines of several processes don't mix
                (&*self.log)
                    .write_all(format!("{id} {how}\n").as_bytes())
                    .map_err(QueueError::unreachable)?;
            }
        }
        Ok(reply)
    }

    /// Heartbeats have a connection of their own.
    async fn detached(&self) -> Result<Option<Self>, QueueError> {
        let detached = self.queue.detached().await?;
        Ok(detached.map(|queue| Self { queue, log: self.log.clone() }))
    }

    // the rest is the other backend's

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
}
