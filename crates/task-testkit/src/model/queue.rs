use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Capabilities, Claim, Claimed, Command, ControlAnswer, Durability,
    EnqueueReply, Explanation, Filter, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page, Queue,
    QueueError, QueueStats, SettleReply, SettleRequest, TaskId, TaskMessage,
};
use tokio::{sync::Notify, time::Instant};

use super::Model;

/// The plain model as a backend: the reference that others are compared with. Slow, and its clock stands still unless
/// it is moved; for tests of queues, not for tests of tasks.
#[derive(Clone)]
pub struct ModelQueue(Arc<Shared>);

struct Shared {
    model: Mutex<Model>,
    changed: Notify,
}

impl Default for ModelQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl ModelQueue {
    /// An empty backend.
    pub fn new() -> Self {
        Self::capped(usize::MAX, usize::MAX)
    }

    /// An empty backend that keeps at most so many results of COMPLETED tasks, and the params of at most so many FAILED
    /// and CANCELLED ones.
    pub fn capped(completed: usize, replayable: usize) -> Self {
        let model = Mutex::new(Model::new((completed, replayable)));
        Self(Arc::new(Shared { model, changed: Notify::new() }))
    }

    /// Moves the clock on while the backend is alive.
    pub fn advance(&self, by: Duration) {
        self.with(|model| model.advance(by));
    }

    /// Moves the clock on at once: nobody has called the backend meanwhile.
    pub fn outage(&self, by: Duration) {
        self.with(|model| model.now = model.now + by);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Model) -> T) -> T {
        let answer = act(&mut self.0.model.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.notify_waiters();
        answer
    }

    /// Looks until there is something to say, or the time is over; what changes in between is not missed.
    async fn until<T>(&self, wait: Duration, mut look: impl FnMut(&mut Model) -> (T, bool)) -> T {
        let end = Instant::now() + wait.min(Duration::from_secs(365 * 24 * 3600));
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (answer, is_final) = look(&mut self.0.model.lock().unwrap_or_else(PoisonError::into_inner));
            if is_final {
                self.0.changed.notify_waiters();
                return answer;
            }
            if wait.is_zero() || tokio::time::timeout_at(end, changed).await.is_err() {
                return answer;
            }
        }
    }
}

impl Queue for ModelQueue {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        let answers = self.with(|model| model.space(&batch.queue).enqueue(&batch));
        Ok(EnqueueReply::new(answers, Durability::Process))
    }

    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        let look = |model: &mut Model| {
            let claimed = model.space(&claim.queue).claim(&claim, &[]);
            let is_final =
                claim.max_tasks == 0 || !matches!(&claimed, Ok(claimed) if claimed.tasks.is_empty());
            (claimed, is_final)
        };
        self.until(claim.wait, look).await
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        Ok(self.with(|model| {
            let space = model.space(&request.queue);
            let mut reply = SettleReply::new(space.settle(&request.settlements));
            reply.claimed = request.then.map(|claim| space.claim(&claim, &[]));
            reply
        }))
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        let look = |model: &mut Model| {
            let mut reply = model.space(&beat.queue).heartbeat(&beat);
            let news = reply.closed || !reply.cancel.is_empty() || !reply.commands.is_empty();
            reply.run_empty &= !reply.closed;
            // that it should run empty is told, but nothing to be woken for again and again
            let turns = model.space(&beat.queue).turns(beat.worker, reply.run_empty);
            (reply, news || turns)
        };
        let reply = self.until(beat.wait, look).await;
        self.0.changed.notify_waiters(); // it may have given tasks back
        Ok(reply)
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        Ok(self.with(|model| model.space(queue).release(worker)))
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        Ok(self.with(|model| model.space(queue).lookup(id)))
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        Ok(BackendInfo::new("model", Capabilities::all(), Durability::Process))
    }

    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        let look = |model: &mut Model| {
            let found = model.space(queue).lookup(id);
            let is_final = !found.is_live();
            (found, is_final)
        };
        Ok(self.until(timeout, look).await)
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        Ok(self.with(|model| model.space(queue).cancel(id)))
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        Ok(self.with(|model| model.space(queue).control(&command)))
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        Ok(self.with(|model| model.space(queue).stats()))
    }

    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        self.with(|model| model.space(queue).list(&filter))
    }

    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        Ok(self.with(|model| model.space(queue).explain(id)))
    }

    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        Ok(self.with(|model| model.spaces.keys().cloned().collect()))
    }

    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        Ok(self.with(|model| model.space(queue).message(id)))
    }
}
