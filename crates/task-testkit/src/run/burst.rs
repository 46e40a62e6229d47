use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Claim, Claimed, EnqueueReply, Heartbeat, HeartbeatReply, Incarnation,
    Lookup, Name, Outcome, Queue, QueueError, QueueStats, SettleAnswer, SettleReply, SettleRequest, TaskId,
    TaskQueue, Token,
};
use task_worker::Drained;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// A queue that gives out what is due, or at most so many tasks of it, and says when they have ended and no other is due.
#[derive(Clone)]
pub(super) struct Burst {
    queue: TaskQueue,
    shared: Arc<Shared>,
}

struct Shared {
    names: BTreeSet<Name>,
    state: Mutex<State>,
    /// Held while a claim looks, so that each sees what the one before it took.
    turn: tokio::sync::Mutex<()>,
    /// Something ended or came in.
    changed: Notify,
    over: Notify,
}

struct State {
    /// How many may still be given out.
    left: usize,
    last: Option<(Name, TaskId)>,
    held: HashSet<Token>,
    /// Named queues that are not found empty yet.
    open: BTreeSet<Name>,
    /// When something is due in the others.
    next: BTreeMap<Name, Instant>,
    drained: Drained,
}

impl Burst {
    pub(super) fn new(queue: TaskQueue, names: &BTreeSet<Name>, most: Option<usize>) -> Self {
        let state = State {
            left: most.unwrap_or(usize::MAX),
            last: None,
            held: HashSet::new(),
            open: names.clone(),
            next: BTreeMap::new(),
            drained: Drained::default(),
        };
        let shared = Shared {
            names: names.clone(),
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            over: Notify::new(),
        };
        Self { queue, shared: Arc::new(shared) }
    }

    pub(super) async fn is_over(&self) {
        self.shared.over.notified().await;
    }

    /// The task that was given out last.
    pub(super) fn given(&self) -> Option<(Name, TaskId)> {
        self.state().last.clone()
    }

    /// How the tasks ended, and how long it is until another is due.
    pub(super) fn drained(&self) -> (Drained, Option<Duration>) {
        let state = self.state();
        let next = state.next.values().min();
        (state.drained, next.map(|next| next.saturating_duration_since(Instant::now())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for due tasks once.
    async fn look(&self, claim: &Claim) -> Result<Claimed, QueueError> {
        let _turn = self.shared.turn.lock().await;
        let mut claim = claim.clone();
        claim.wait = Duration::ZERO;
        claim.max_tasks = claim.max_tasks.min(self.state().left);
        let claimed = match claim.max_tasks {
            0 => Claimed::default(),
            _ => self.queue.dequeue(claim.clone()).await?,
        };
        let mut state = self.state();
        for delivery in &claimed.tasks {
            if state.held.insert(delivery.token) {
                state.last = Some((claim.queue.clone(), delivery.id().clone()));
            }
        }
        state.left = state.left.saturating_sub(claimed.tasks.len());
        state.next.remove(&claim.queue);
        if !claimed.tasks.is_empty() {
            state.open.clone_from(&self.shared.names);
        } else if !claimed.run_empty {
            state.open.remove(&claim.queue);
            let due = claimed.next_wake.filter(|_| !claimed.paused).map(|wake| Instant::now() + wake);
            state.next.extend(due.map(|due| (claim.queue.clone(), due)));
        }
        self.end_if_done(&state);
        Ok(claimed)
    }

    fn end_if_done(&self, state: &State) {
        if state.held.is_empty() && (state.open.is_empty() || state.left == 0) {
            self.shared.over.notify_one();
        }
    }
}

impl Queue for Burst {
    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        let end = Instant::now() + claim.wait;
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            let claimed = self.look(&claim).await?;
            if !claimed.tasks.is_empty() || claimed.run_empty || Instant::now() >= end {
                return Ok(claimed);
            }
            let due = self.state().next.get(&claim.queue).copied();
            // either way it looks again
            tokio::select! {
                () = &mut changed => {}
                () = sleep_until(due.map_or(end, |due| due.min(end))) => {}
            }
        }
    }

    async fn settle(&self, mut request: SettleRequest) -> Result<SettleReply, QueueError> {
        let then = request.then.take();
        let settlements = request.settlements.clone();
        let mut reply = self.queue.settle(request).await?;
        {
            let mut state = self.state();
            for (settlement, answer) in settlements.iter().zip(&reply.answers) {
                state.held.remove(&settlement.delivery.token);
                if *answer == SettleAnswer::Done {
                    count(&mut state.drained, &settlement.outcome);
                }
            }
            state.open.clone_from(&self.shared.names);
            self.end_if_done(&state);
        }
        self.shared.changed.notify_waiters();
        if let Some(claim) = then {
            reply.claimed = Some(self.look(&claim).await);
        }
        Ok(reply)
    }

    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        let reply = Queue::enqueue(&self.queue, batch).await?;
        self.shared.changed.notify_waiters();
        Ok(reply)
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

    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        self.queue.wait(queue, id, timeout).await
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        self.queue.cancel(queue, id).await
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        self.queue.stats(queue).await
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        self.queue.info().await
    }
}

fn count(drained: &mut Drained, outcome: &Outcome) {
    match outcome {
        Outcome::Completed { .. } => drained.completed += 1,
        Outcome::Failed { .. } => drained.failed += 1,
        Outcome::Skipped { .. } => drained.skipped += 1,
        Outcome::Cancelled { .. } => drained.cancelled += 1,
        Outcome::Retry { .. } | Outcome::Released | Outcome::NameUnknown => {}
    }
}
