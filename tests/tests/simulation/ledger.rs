//! The truth about a simulated queue: what really happened there, whatever the network made of it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Claim, Claimed, Command, ControlAnswer, Delivery, EnqueueReply,
    Enqueued, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Outcome, Queue, QueueError, QueueStats,
    SettleAnswer, SettleReply, SettleRequest, TaskId, Token,
};
use task_queue_memory::MemoryQueue;
use tokio::time::Instant;

use crate::plan::QUEUES;

/// The named queue of this number.
pub(crate) fn queue(number: usize) -> Name {
    QUEUES[number].parse().expect("a name")
}

/// What happened to one task.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// The named queue that it was sent to.
    pub(crate) queue: Option<Name>,
    /// When it was taken in.
    pub(crate) enqueued: Option<Duration>,
    /// Each claim: when it was, as which attempt, and whether as a suspect.
    pub(crate) claims: BTreeMap<Token, (Duration, u32, bool)>,
    last_claim: Option<Arc<Delivery>>,
    /// How claims were ended by settlements that were taken.
    pub(crate) ends: BTreeMap<Token, Outcome>,
    /// What must not be.
    pub(crate) wrong: Option<&'static str>,
    /// What was counted before it was replayed.
    pub(crate) earlier: Counts,
    pub(crate) replays: u32,
    /// In words, by time.
    pub(crate) log: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) failures: u32,
    pub(crate) crashes: u32,
}

/// What a queue may do wrong, to see that the laws are broken by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It acknowledges every third task, and forgets it.
    Forgets,
    /// It takes any settlement for one of the current claim.
    DoesNotFence,
    /// It carries a settlement out again when it comes again.
    EndsTwice,
}

/// The memory queue, with a book about what it answers.
#[derive(Clone)]
pub(crate) struct Ledger {
    inner: MemoryQueue,
    flaw: Option<Flaw>,
    began: Instant,
    stories: Arc<Mutex<BTreeMap<TaskId, Story>>>,
}

impl Ledger {
    pub(crate) fn new(flaw: Option<Flaw>) -> Self {
        Self { inner: MemoryQueue::new(), flaw, began: Instant::now(), stories: Arc::default() }
    }

    pub(crate) fn stories(&self) -> MutexGuard<'_, BTreeMap<TaskId, Story>> {
        self.stories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn log(&self, id: &TaskId, what: String) {
        let at = self.now();
        self.stories()
            .entry(id.clone())
            .or_default()
            .log
            .push(format!("{:>9.3} s  {what}", at.as_secs_f64()));
    }

    fn claimed(&self, claimed: &Claimed) {
        for delivery in &claimed.tasks {
            let token = delivery.token;
            let what = (self.now(), delivery.record.attempts, delivery.suspect);
            self.log(delivery.id(), format!("claimed by {token:?} as attempt {}", what.1));
            let mut stories = self.stories();
            let story = stories.entry(delivery.id().clone()).or_default();
            if let Entry::Vacant(new) = story.claims.entry(token) {
                new.insert(what);
                story.last_claim = Some(delivery.clone());
            }
        }
    }

    /// A settlement was taken.
    fn ended(&self, id: &TaskId, token: Token, outcome: Outcome) {
        let mut stories = self.stories();
        let story = stories.entry(id.clone()).or_default();
        if story.last_claim.as_ref().is_none_or(|last| last.token != token) {
            story.wrong = Some("only the last claim is ended by a settlement");
        }
        if story.ends.insert(token, outcome).is_some() {
            story.wrong = Some("an attempt ends once");
        }
    }
}

impl Queue for Ledger {
    async fn enqueue(&self, mut batch: Batch) -> Result<EnqueueReply, QueueError> {
        let ids: Vec<TaskId> = batch.messages.iter().map(|message| message.id.clone()).collect();
        if self.flaw == Some(Flaw::Forgets) {
            batch.messages.retain(|message| !message.id.to_string().ends_with(['0', '3', '6', '9']));
        }
        let queue = batch.queue.clone();
        let mut reply = self.inner.enqueue(batch).await?;
        reply.answers.resize(ids.len(), Enqueued::Queued);
        for (id, answer) in ids.iter().zip(&reply.answers) {
            self.log(id, format!("enqueue: {answer:?}"));
            self.stories().entry(id.clone()).or_default().queue = Some(queue.clone());
            if *answer == Enqueued::Queued {
                self.stories().entry(id.clone()).or_default().enqueued = Some(self.now());
            }
        }
        Ok(reply)
    }

    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        let claimed = self.inner.dequeue(claim).await?;
        self.claimed(&claimed);
        Ok(claimed)
    }

    async fn settle(&self, mut request: SettleRequest) -> Result<SettleReply, QueueError> {
        let settlements = request.settlements.clone();
        if self.flaw == Some(Flaw::DoesNotFence) {
            for settlement in &mut request.settlements {
                let last = self.stories().get(settlement.delivery.id()).and_then(|s| s.last_claim.clone());
                settlement.delivery = last.unwrap_or_else(|| settlement.delivery.clone());
            }
        }
        let mut reply = self.inner.settle(request).await?;
        if self.flaw == Some(Flaw::EndsTwice) {
            for answer in reply.answers.iter_mut().filter(|answer| **answer == SettleAnswer::AlreadyDone) {
                *answer = SettleAnswer::Done;
            }
        }
        for (settlement, answer) in settlements.into_iter().zip(&reply.answers) {
            let (id, token) = (settlement.delivery.id(), settlement.delivery.token);
            self.log(id, format!("settle by {token:?}: {:?}: {answer:?}", settlement.outcome));
            if *answer == SettleAnswer::Done {
                self.ended(id, token, settlement.outcome);
            }
        }
        if let Some(Ok(claimed)) = &reply.claimed {
            self.claimed(claimed);
        }
        Ok(reply)
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        self.inner.heartbeat(beat).await
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        self.inner.release(queue, worker).await
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        self.inner.result(queue, id).await
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        self.inner.info().await
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        let answer = self.inner.cancel(queue, id).await?;
        self.log(id, format!("cancel: {answer:?}"));
        Ok(answer)
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        let Command::Replay(id) = &command else { return self.inner.control(queue, command).await };
        let id = id.clone();
        let before = self.inner.result(queue, &id).await?.into_found();
        let answer = self.inner.control(queue, command).await?;
        self.log(&id, format!("replay: {answer:?}"));
        if let (ControlAnswer::Done(_), Some(record)) = (&answer, before) {
            let mut stories = self.stories();
            let story = stories.entry(id).or_default();
            story.replays += 1;
            story.earlier.failures += record.failures;
            story.earlier.crashes += record.crashes;
        }
        Ok(answer)
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        self.inner.stats(queue).await
    }
}
