use std::{fmt, sync::Arc, time::Duration};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Capabilities, Claim, Claimed, Command, ControlAnswer, EnqueueReply,
    Explanation, Filter, FromUrl, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page, Queue,
    QueueError, QueueStats, SettleReply, SettleRequest, TaskId, TaskMessage, Timestamp,
};

use crate::{
    beat, claim, control, enqueue, explain,
    info::Server,
    link::Link,
    list,
    open::{self, LAYOUT},
    queues,
    reply::Reply,
    script::{self, Call},
    settle, stats, url, wait,
};

/// The Redis backend: all of it is reached through [`Queue`]. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RedisQueue {
    pub(crate) link: Arc<Link>,
    pub(crate) server: Arc<Server>,
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisQueue({} at {})", self.server.name, self.link.target.shown)
    }
}

impl RedisQueue {
    pub(crate) fn call(&self, queue: &Name) -> Call {
        Call::new(self.link.target.keys.base(queue))
    }

    pub(crate) async fn run(
        &self,
        script: &'static script::Script,
        call: &Call,
        queue: &Name,
    ) -> Result<Reply, QueueError> {
        Reply::new(self.link.run(script, call, queue).await?)
    }

    /// Reads the time that a script's answer begins with.
    pub(crate) fn time(&self, reply: &mut Reply) -> Result<Timestamp, QueueError> {
        Ok(self.set_time(reply.number()?))
    }

    /// The server said that it is now so late.
    pub(crate) fn set_time(&self, now: u64) -> Timestamp {
        self.link.clock.set(now);
        Timestamp::from_millis(now)
    }
}

impl Queue for RedisQueue {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        enqueue::enqueue(self, batch).await
    }

    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        claim::dequeue(self, claim).await
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        settle::settle(self, request).await
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        beat::heartbeat(self, beat).await
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        claim::release(self, queue, worker).await
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        wait::look(self, queue, id).await
    }

    /// Of a server that does not answer, what it said at connect.
    async fn info(&self) -> Result<BackendInfo, QueueError> {
        let now = open::look(&self.link).await;
        let server = now.unwrap_or_else(|_| (*self.server).clone());
        let name = format!("{} at {}", server.name, self.link.target.shown);
        let mut info = BackendInfo::new(name, Capabilities::all(), server.durability);
        info.layout = Some(LAYOUT.to_string());
        info.warnings = server.warnings;
        Ok(info)
    }

    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        wait::wait(self, queue, id, timeout).await
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        control::cancel(self, queue, id).await
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        control::control(self, queue, command).await
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        stats::stats(self, queue).await
    }

    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        list::list(self, queue, filter).await
    }

    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        explain::explain(self, queue, id).await
    }

    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        queues::queues(self).await
    }

    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        wait::message(self, queue, id).await
    }

    async fn detached(&self) -> Result<Option<Self>, QueueError> {
        let mut link = Link::new(self.link.target.clone())?;
        link.beats = self.link.beats.clone();
        link.clock.set(self.link.clock.now().as_millis());
        Ok(Some(Self { link: Arc::new(link), server: self.server.clone() }))
    }
}

impl FromUrl for RedisQueue {
    const URLS: &'static str = "host:port, redis://…, rediss://…, redis+unix://…, redis+sentinel://…";

    fn accepts(url: &str) -> bool {
        url::accepts(url)
    }

    async fn from_url(url: &str) -> Result<Self, QueueError> {
        Self::connect(url).await
    }
}
