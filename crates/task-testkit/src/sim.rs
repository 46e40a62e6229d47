use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use task_core::{
    Claim, Claimed, Delivery, Failure, FailureKind, Heartbeat, HeartbeatReply, Holds, Incarnation, Name,
    Outcome, Progress, ProgressUpdate, Queue, QueueError, Registration, SettleAnswer, SettleRequest,
    Settlement, Timestamp,
};

/// A simulated worker: an incarnation that counts its claims, and runs nothing. It says that it is idle as long as
/// [`idle`](Self::idle) is set.
pub struct Sim<'q, Q> {
    backend: &'q Q,
    /// The named queue.
    pub queue: Name,
    /// Which start of the worker.
    pub worker: Incarnation,
    /// What it says of itself.
    pub registration: Arc<Registration>,
    /// The number of its last claim.
    pub number: u64,
    /// What its claims say of whether it holds nothing.
    pub idle: bool,
    /// The commands up to this number have arrived.
    heard: Arc<AtomicU64>,
}

/// The same worker, as whoever calls for it elsewhere.
impl<Q> Clone for Sim<'_, Q> {
    fn clone(&self) -> Self {
        let (queue, registration, heard) =
            (self.queue.clone(), self.registration.clone(), self.heard.clone());
        Self { queue, registration, heard, ..*self }
    }
}

impl<'q, Q: Queue> Sim<'q, Q> {
    /// A worker that knows the name `work`, in the queue `tasks`.
    pub fn new(backend: &'q Q, label: &str) -> Self {
        Self::knowing(backend, label, &["work"])
    }

    /// A worker that knows these names.
    ///
    /// # Panics
    /// If one of them is no name.
    pub fn knowing(backend: &'q Q, label: &str, names: &[&str]) -> Self {
        let names = names.iter().map(|name| name.parse().expect("a name"));
        Self {
            backend,
            queue: Name::DEFAULT_QUEUE,
            worker: Incarnation::new(),
            registration: Arc::new(Registration::new(label, names)),
            number: 0,
            idle: true,
            heard: Arc::default(),
        }
    }

    /// The same worker with another lease.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        Arc::make_mut(&mut self.registration).lease = lease;
        self
    }

    /// Its next claim, for so many tasks.
    pub fn next_claim(&mut self, max_tasks: usize) -> Claim {
        self.number += 1;
        let mut claim = Claim::new(self.queue.clone(), self.worker, self.registration.clone(), self.number);
        (claim.max_tasks, claim.idle) = (max_tasks, self.idle);
        claim
    }

    /// Claims up to so many tasks.
    ///
    /// # Errors
    /// The backend's.
    pub async fn try_claim(&mut self, max_tasks: usize) -> Result<Claimed, QueueError> {
        let claim = self.next_claim(max_tasks);
        self.backend.dequeue(claim).await
    }

    /// Claims up to so many tasks.
    ///
    /// # Panics
    /// If the backend refuses it.
    pub async fn claim(&mut self, max_tasks: usize) -> Vec<Arc<Delivery>> {
        self.try_claim(max_tasks).await.expect("a claim is answered").tasks
    }

    /// Claims a task that must be there.
    ///
    /// # Panics
    /// If there is none.
    pub async fn claim_one(&mut self) -> Arc<Delivery> {
        let mut claimed = self.claim(1).await;
        assert_eq!(claimed.len(), 1, "a task was due, and a claim for one got {}", claimed.len());
        claimed.remove(0)
    }

    /// Ends an attempt.
    ///
    /// # Panics
    /// If the backend refuses the request, or does not give one answer.
    pub async fn settle(&self, delivery: &Delivery, outcome: Outcome) -> SettleAnswer {
        let settlement = Settlement::new(delivery.clone(), outcome);
        let request = SettleRequest::new(self.queue.clone(), vec![settlement]);
        let answers = self.backend.settle(request).await.expect("a settlement is answered").answers;
        assert_eq!(answers.len(), 1, "one settlement got {} answers", answers.len());
        answers[0]
    }

    /// Ends an attempt with the value 7.
    ///
    /// # Panics
    /// If the backend refuses the request.
    pub async fn complete(&self, delivery: &Delivery) -> SettleAnswer {
        self.settle(delivery, completed(7)).await
    }

    /// A sign of life that waits so long for news.
    ///
    /// # Panics
    /// If the backend refuses it.
    pub async fn beat_for(&self, wait: Duration) -> HeartbeatReply {
        let mut beat = Heartbeat::new(self.queue.clone(), self.worker, self.registration.clone());
        (beat.wait, beat.heard) = (wait, self.heard.load(Ordering::SeqCst));
        let reply = self.backend.heartbeat(beat).await.expect("a heartbeat is answered");
        self.heard.store(reply.told, Ordering::SeqCst);
        reply
    }

    /// A sign of life.
    ///
    /// # Panics
    /// If the backend refuses it.
    pub async fn beat(&self) -> HeartbeatReply {
        self.beat_for(Duration::ZERO).await
    }

    /// A sign of life that says which of the tasks of its claims, as far as they are answered, it holds.
    ///
    /// # Panics
    /// If the backend refuses it.
    pub async fn beat_holding(&self, up_to: u64, held: &[&Arc<Delivery>]) -> HeartbeatReply {
        let tasks = held.iter().map(|delivery| (delivery.token.claim, delivery.id().clone()));
        self.beat_saying(Holds::new(up_to, tasks.collect())).await
    }

    /// The same in other words.
    ///
    /// # Panics
    /// If the backend refuses it.
    pub async fn beat_saying(&self, holds: Holds) -> HeartbeatReply {
        let mut beat = Heartbeat::new(self.queue.clone(), self.worker, self.registration.clone());
        beat.heard = self.heard.load(Ordering::SeqCst);
        beat.holds = Some(holds);
        let reply = self.backend.heartbeat(beat).await.expect("a heartbeat is answered");
        self.heard.store(reply.told, Ordering::SeqCst);
        reply
    }

    /// A sign of life that says how far a task is.
    ///
    /// # Panics
    /// If the backend refuses it.
    pub async fn report(&self, delivery: &Delivery, fraction: f32) {
        self.report_at(delivery, fraction, Timestamp::now()).await;
    }

    /// The same by a worker with this clock.
    pub(crate) async fn report_at(&self, delivery: &Delivery, fraction: f32, now: Timestamp) {
        let mut beat = Heartbeat::new(self.queue.clone(), self.worker, self.registration.clone());
        let progress = Progress::new(fraction, "on its way", now);
        beat.progress.push(ProgressUpdate::new(delivery.id().clone(), delivery.token, progress));
        self.backend.heartbeat(beat).await.expect("a heartbeat is answered");
    }

    /// It died, and whoever started it says so; answers how many tasks were given back.
    ///
    /// # Panics
    /// If the backend refuses it.
    pub async fn release(&self) -> u64 {
        self.backend.release(&self.queue, self.worker).await.expect("a release is answered")
    }

    /// It was told that it is closed, and goes on under its next generation.
    pub fn next_generation(&mut self) {
        self.worker = self.worker.next();
        self.number = 0;
    }
}

/// An attempt that returned this number.
pub(crate) fn completed(value: u8) -> Outcome {
    Outcome::Completed { result: Bytes::from(vec![value]) }
}

/// An attempt that failed and is to be tried again after this time.
pub(crate) fn retry(delay: Duration) -> Outcome {
    Outcome::Retry { error: Failure::new(FailureKind::Error, "no luck"), delay }
}

/// An attempt that failed for good.
pub(crate) fn failed() -> Outcome {
    Outcome::Failed { error: Failure::new(FailureKind::Fatal, "no way") }
}

/// An attempt that found nothing to do.
pub(crate) fn skipped() -> Outcome {
    Outcome::Skipped { reason: "nothing to do".into() }
}
