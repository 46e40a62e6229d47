//! A memory queue that is looked at, and meddled with, on its way to the worker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use task_queue_memory::MemoryQueue;
use task_worker::core::{
    BackendInfo, Batch, CancelAnswer, Capability, Claim, Claimed, Command, ControlAnswer, Delivery,
    EnqueueReply, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Outcome, Queue, QueueError,
    QueueStats, SettleAnswer, SettleReply, SettleRequest, TaskId,
};

/// What is seen, and what is done to deliveries.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) claims: AtomicU32,
    pub(crate) settles: AtomicU32,
    pub(crate) settles_refused: AtomicU32,
    /// Tasks that were put back as unknown here.
    pub(crate) unknown: AtomicU32,
    /// Heartbeats over the connection of their own, and over the one of all other calls.
    pub(crate) own_beats: AtomicU32,
    pub(crate) other_beats: AtomicU32,
    /// The backend has no priorities.
    pub(crate) has_a_gap: AtomicBool,
    /// So many settles forget their last end: it is neither carried out nor answered.
    pub(crate) ends_forgotten: AtomicU32,
    /// So many ends are answered as done and are not carried out, as if they were lost after that.
    pub(crate) ends_lost: AtomicU32,
    /// It refuses to count.
    pub(crate) stats_refused: AtomicBool,
    /// How many claims were under way at once, by what the last of them said that it had heard of.
    pub(crate) under_way: AtomicU64,
    /// No settle is answered.
    pub(crate) settles_fail: AtomicBool,
}

impl Seen {
    fn claim(&self, claim: &Claim) {
        self.under_way.fetch_max(claim.number - claim.acked, Ordering::SeqCst);
    }
}

type Alter = dyn Fn(Delivery) -> Delivery + Send + Sync;

#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) memory: MemoryQueue,
    pub(crate) seen: Arc<Seen>,
    alter: Arc<Alter>,
    detached: bool,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self::altering(|delivery| delivery)
    }

    pub(crate) fn altering(alter: impl Fn(Delivery) -> Delivery + Send + Sync + 'static) -> Self {
        let (memory, seen) = (MemoryQueue::new(), Arc::default());
        Self { memory, seen, alter: Arc::new(alter), detached: false }
    }

    fn alter(&self, claimed: &mut Claimed) {
        claimed.tasks = std::mem::take(&mut claimed.tasks)
            .into_iter()
            .map(|task| (self.alter)(Arc::unwrap_or_clone(task)).into())
            .collect();
    }
}

impl Queue for Watched {
    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        self.seen.claims.fetch_add(1, Ordering::SeqCst);
        self.seen.claim(&claim);
        let mut claimed = self.memory.dequeue(claim).await?;
        self.alter(&mut claimed);
        Ok(claimed)
    }
    async fn settle(&self, mut request: SettleRequest) -> Result<SettleReply, QueueError> {
        if self.seen.settles_fail.load(Ordering::SeqCst) {
            self.seen.settles_refused.fetch_add(1, Ordering::SeqCst);
            return Err(QueueError::unreachable("settles fail now"));
        }
        self.seen.settles.fetch_add(1, Ordering::SeqCst);
        request.then.iter().for_each(|claim| self.seen.claim(claim));
        let forgets = |left: u32| left.checked_sub(1);
        if self.seen.ends_forgotten.fetch_update(Ordering::SeqCst, Ordering::SeqCst, forgets).is_ok() {
            request.settlements.pop();
        }
        let unknown = request.settlements.iter().filter(|end| end.outcome == Outcome::NameUnknown).count();
        self.seen.unknown.fetch_add(unknown as u32, Ordering::SeqCst);
        let lost = request.settlements.len().min(self.seen.ends_lost.load(Ordering::SeqCst) as usize);
        self.seen.ends_lost.fetch_sub(lost as u32, Ordering::SeqCst);
        request.settlements.drain(..lost);
        let mut reply = self.memory.settle(request).await?;
        reply.answers.splice(0..0, std::iter::repeat_n(SettleAnswer::Done, lost));
        if let Some(Ok(claimed)) = &mut reply.claimed {
            self.alter(claimed);
        }
        Ok(reply)
    }
    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        let beats = if self.detached { &self.seen.own_beats } else { &self.seen.other_beats };
        beats.fetch_add(1, Ordering::SeqCst);
        self.memory.heartbeat(beat).await
    }
    async fn detached(&self) -> Result<Option<Self>, QueueError> {
        Ok(Some(Self { detached: true, ..self.clone() }))
    }
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        self.memory.enqueue(batch).await
    }
    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        self.memory.release(queue, worker).await
    }
    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        self.memory.result(queue, id).await
    }
    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        self.memory.wait(queue, id, timeout).await
    }
    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        self.memory.cancel(queue, id).await
    }
    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        self.memory.control(queue, command).await
    }
    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        if self.seen.stats_refused.load(Ordering::SeqCst) {
            return Err(QueueError::Refused("no right to count".into()));
        }
        self.memory.stats(queue).await
    }
    async fn info(&self) -> Result<BackendInfo, QueueError> {
        let mut info = self.memory.info().await?;
        if self.seen.has_a_gap.load(Ordering::SeqCst) {
            info.capabilities = info.capabilities.without(Capability::Priorities);
        }
        Ok(info)
    }
}
