use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Capabilities, Claim, Claimed, Command, ControlAnswer, Durability,
    EnqueueReply, Explanation, Filter, FromUrl, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page,
    Queue, QueueError, QueueStats, SettleAnswer, SettleReply, SettleRequest, TaskId, TaskMessage, Timestamp,
};

use crate::{
    Builder,
    clock::Clock,
    named::Named,
    state::{
        Cancel, Delete, Enqueue, Explain, Limits, List, Look, Message, Purge, Release, Replay, SetLimit,
        SetPaused, Settle, Stats, Tell, Tick,
    },
};

/// A queue inside the process: a cheap, cloneable handle; all its clones are one queue.
///
/// The tasks live as long as a handle does. It may be used from any runtime, and waits by Tokio's clock, so a test may
/// pause that.
#[derive(Clone)]
pub struct MemoryQueue(Arc<Shared>);

struct Shared {
    limits: Limits,
    clock: Clock,
    queues: RwLock<Names>,
}

/// The named queues that were used.
#[derive(Default)]
struct Names {
    by_name: BTreeMap<Name, Arc<Named>>,
    /// With so many it is time to forget those that hold nothing.
    many: usize,
}

impl Names {
    /// Makes one. Calls on names that nobody ever puts a task under leave nothing behind for good: workers that look for
    /// tasks there, and their ends.
    fn make(&mut self, queue: &Name, limits: Limits, now: Timestamp) -> Arc<Named> {
        const FEW: usize = 64;
        if self.by_name.len() >= self.many.max(FEW) {
            // whoever is calling one has a handle on it, and nobody gets one while this is locked
            self.by_name.retain(|_, named| Arc::strong_count(named) > 1 || !named.is_blank(limits, now));
            self.many = 2 * self.by_name.len();
        }
        let new = || Arc::new(Named::new(queue.clone(), limits, now));
        self.by_name.entry(queue.clone()).or_insert_with(new).clone()
    }
}

impl Shared {
    fn names(&self) -> RwLockReadGuard<'_, Names> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An empty queue with bounds of one's own.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, clock: Clock::new(), queues: RwLock::default() }))
    }

    /// For tests: moves the queue's clock on in small steps, as if it had been used all the time.
    #[doc(hidden)]
    pub fn advance(&self, by: Duration) {
        const STEP: Duration = Duration::from_secs(5); // a longer gap would be an outage
        let mut left = by;
        let queues = self.named_queues();
        while !left.is_zero() {
            let step = left.min(STEP);
            self.0.clock.move_on(step);
            for named in &queues {
                named.apply(&self.0.clock, Tick);
            }
            left -= step;
        }
        queues.iter().for_each(|named| named.look_again(&self.0.clock));
    }

    /// For tests: lets the queue's clock jump, as if nobody had called it in between.
    #[doc(hidden)]
    pub fn outage(&self, by: Duration) {
        self.0.clock.move_on(by);
    }

    fn named_queues(&self) -> Vec<Arc<Named>> {
        self.0.names().by_name.values().cloned().collect()
    }

    fn get(&self, queue: &Name) -> Option<Arc<Named>> {
        self.0.names().by_name.get(queue).cloned()
    }

    fn get_or_make(&self, queue: &Name) -> Arc<Named> {
        if let Some(named) = self.get(queue) {
            return named;
        }
        let mut queues = self.0.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.make(queue, self.0.limits, self.0.clock.now())
    }
}

impl Queue for MemoryQueue {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        let (queue, empty) = (batch.queue.clone(), batch.messages.is_empty());
        let enqueue = Enqueue::new(batch, self.0.clock.now())?;
        if empty {
            return Ok(EnqueueReply::new(Vec::new(), Durability::Process));
        }
        let answers = self.get_or_make(&queue).apply(&self.0.clock, enqueue);
        Ok(EnqueueReply::new(answers, Durability::Process))
    }

    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        let granted = self.get_or_make(&claim.queue).claim(&self.0.clock, &claim).await;
        granted.map(Into::into).map_err(|_| QueueError::Closed(claim.worker))
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        let queue = request.queue.clone();
        let settle = Settle::try_from(request)?;
        if settle.then.is_none() && self.get(&queue).is_none() {
            return Ok(SettleReply::new(vec![SettleAnswer::Stale; settle.ends.len()]));
        }
        Ok(self.get_or_make(&queue).apply(&self.0.clock, settle).into())
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        Ok(self.get_or_make(&beat.queue).beat(&self.0.clock, beat).await.into())
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        Ok(self.get_or_make(queue).apply(&self.0.clock, Release(worker)))
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        let Some(named) = self.get(queue) else { return Ok(Lookup::NotFound) };
        named.apply(&self.0.clock, Look(id)).read(queue, id)
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        Ok(BackendInfo::new("memory", Capabilities::all(), Durability::Process))
    }

    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        let Some(named) = self.get(queue) else { return Ok(Lookup::NotFound) };
        named.result(&self.0.clock, id, timeout).await.read(queue, id)
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        let Some(named) = self.get(queue) else { return Ok(CancelAnswer::NotFound) };
        Ok(named.apply(&self.0.clock, Cancel(id.clone())))
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        let clock = &self.0.clock;
        let sets = matches!(command, Command::Pause | Command::Limit(_));
        let named = if sets { Some(self.get_or_make(queue)) } else { self.get(queue) };
        let Some(named) = named else {
            return match command {
                Command::Resume | Command::Purge => Ok(ControlAnswer::Done(0)),
                _ => Ok(ControlAnswer::NotFound),
            };
        };
        Ok(match command {
            Command::Pause => named.apply(clock, SetPaused(true)),
            Command::Resume => named.apply(clock, SetPaused(false)),
            Command::Replay(id) => named.apply(clock, Replay(id)),
            Command::Delete(id) => named.apply(clock, Delete(id)),
            Command::Limit(limit) => named.apply(clock, SetLimit(limit)),
            Command::Tell(worker, command) => named.apply(clock, Tell(worker, command)),
            Command::Purge => ControlAnswer::Done(purge(&named, clock).await),
            other => {
                let wrong = format!("this release of the memory queue does not know the command {other:?}");
                return Err(QueueError::invalid(wrong));
            }
        })
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        let Some(named) = self.get(queue) else { return Ok(QueueStats::new(queue.clone())) };
        Ok(named.apply(&self.0.clock, Stats))
    }

    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        let Some(named) = self.get(queue) else { return Ok(Page::default()) };
        named.apply(&self.0.clock, List(filter))?.read(queue)
    }

    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        let Some(named) = self.get(queue) else { return Ok(None) };
        let (stored, reasons) = named.apply(&self.0.clock, Explain(id));
        let record = stored.read(queue, id)?.into_found();
        Ok(record.map(|record| Explanation::new(record, reasons)))
    }

    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        Ok(self.0.names().by_name.keys().cloned().collect())
    }

    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        let Some(named) = self.get(queue) else { return Ok(None) };
        named.apply(&self.0.clock, Message(id))
    }
}

/// Cancels what waits now, in steps between which others have their turn.
async fn purge(named: &Named, clock: &Clock) -> u64 {
    const STEP: usize = 1000;
    // what comes in meanwhile may be taken for what waited, but does not make the purge endless
    let stats = named.apply(clock, Stats);
    let most = stats.pending + stats.retry;
    let mut purged = 0;
    while purged < most {
        let step = usize::try_from(most - purged).map_or(STEP, |left| left.min(STEP));
        match named.apply(clock, Purge(step)) {
            0 => break,
            n => purged += n,
        }
        tokio::task::yield_now().await;
    }
    purged
}

impl FromUrl for MemoryQueue {
    const URLS: &'static str = "memory:";

    fn accepts(url: &str) -> bool {
        url == "memory" || url.starts_with("memory:")
    }

    fn in_process(_url: &str) -> bool {
        true
    }

    /// A new queue each time: what is in one process is found by its handles, not by its URL.
    async fn from_url(url: &str) -> Result<Self, QueueError> {
        match url {
            "memory:" | "memory://" => Ok(Self::new()),
            other => Err(QueueError::invalid(format!(
                "the queue URL `{}` is not known; the memory queue's is `memory:`, without more",
                task_core::without_password(other)
            ))),
        }
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.names();
        f.debug_struct("MemoryQueue")
            .field("queues", &names.by_name.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
