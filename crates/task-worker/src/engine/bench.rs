//! The attempts of a worker: those that run, and those that wait here for a free slot or core.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use task_core::{Delivery, FailureKind, Outcome, Settlement, TaskError};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    attempt::Attempt,
    outcome::{Ended as How, Rules, classify},
    panic,
    settings::Slots,
};

#[derive(Default)]
pub(super) struct Bench {
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
    /// Each answers also how long it ran, from its first poll: the time that it waited for a thread is not its own.
    attempts: JoinSet<(Settlement, Duration)>,
    running: HashMap<Id, Running>,
    /// How many of these block a thread.
    blocking: u32,
    started: Option<Instant>,
}

struct Waiting {
    lane: usize,
    attempt: Attempt,
    stop: CancellationToken,
}

struct Running {
    lane: usize,
    delivery: Arc<Delivery>,
    rules: Rules,
    blocking: bool,
    since: Instant,
}

/// An attempt that is over.
pub(super) struct Ended {
    pub(super) lane: usize,
    pub(super) settlement: Settlement,
    /// How long it ran, if it did.
    pub(super) ran: Option<Duration>,
}

impl Bench {
    /// An attempt that waits for its start; `stop` ends it.
    pub(super) fn push(&mut self, lane: usize, attempt: Attempt, stop: CancellationToken) {
        self.waiting.push_back(Waiting { lane, attempt, stop });
    }

    /// Starts what may.
    pub(super) fn start(&mut self, slots: Slots) {
        let mut next = 0;
        while self.attempts.len() < slots.all as usize && next < self.waiting.len() {
            if self.waiting[next].attempt.blocking() && self.blocking >= slots.blocking {
                next += 1;
                continue;
            }
            let Some(Waiting { lane, attempt, stop }) = self.waiting.remove(next) else { break };
            let since = Instant::now();
            let (delivery, rules, blocking) = (attempt.delivery(), attempt.rules(), attempt.blocking());
            let running = Running { lane, delivery, rules, blocking, since };
            self.started = Some(since);
            self.blocking += u32::from(running.blocking);
            let handle = self.attempts.spawn(async move {
                let began = Instant::now();
                (attempt.run(stop).await, began.elapsed())
            });
            self.running.insert(handle.id(), running);
        }
    }

    /// The next attempt that ends; none if none runs.
    ///
    /// # Cancel safety
    /// Safe: what has ended is kept until it is taken.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        let joined = self.attempts.join_next_with_id().await?;
        self.ended(joined)
    }

    /// An attempt that has ended by now.
    pub(super) fn next_now(&mut self) -> Option<Ended> {
        let joined = self.attempts.try_join_next_with_id()?;
        self.ended(joined)
    }

    fn ended(&mut self, joined: Result<(Id, (Settlement, Duration)), JoinError>) -> Option<Ended> {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let running = self.running.remove(&id)?;
        self.blocking -= u32::from(running.blocking);
        let (settlement, ran) = match joined {
            Ok((_, ended)) => ended,
            // not the task's code, whose panics are caught; what it leaves behind may still panic as it is dropped
            Err(error) => (running.settle_panic(error), running.since.elapsed()),
        };
        Some(Ended { lane: running.lane, settlement, ran: Some(ran) })
    }

    /// Takes out what waits and was cancelled meanwhile.
    pub(super) fn take_cancelled(&mut self) -> Vec<Ended> {
        let (taken, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.attempt.ctx.is_cancelled());
        self.waiting = kept;
        let outcome = || Outcome::Cancelled { reason: "cancelled before it ran".into() };
        taken.into_iter().map(|waiting| waiting.ended(outcome())).collect()
    }

    /// Takes out all that waits, to be given back.
    pub(super) fn take_waiting(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|waiting| waiting.ended(Outcome::Released))
            .collect()
    }

    /// Whether every slot is taken, and others wait for one.
    pub(super) fn queues_for_slots(&self, slots: Slots) -> bool {
        !self.waiting.is_empty() && self.attempts.len() >= slots.all as usize
    }

    /// How long ago the last attempt was started, while some run.
    pub(super) fn youngest(&self) -> Option<Duration> {
        self.started.filter(|_| !self.running.is_empty()).map(|started| started.elapsed())
    }
}

impl Waiting {
    fn ended(self, outcome: Outcome) -> Ended {
        Ended { lane: self.lane, settlement: Settlement::new(self.attempt.delivery(), outcome), ran: None }
    }
}

impl Running {
    fn settle_panic(&self, error: JoinError) -> Settlement {
        let outcome = match error.try_into_panic() {
            Ok(payload) => {
                let told = format!("it panicked outside its code: {}", panic::text(&*payload));
                let error = TaskError::retry(told).stored_as(FailureKind::Panic);
                classify(How::Returned(Err(error)), self.delivery.record.failures, self.rules)
            }
            Err(_) => Outcome::Released,
        };
        Settlement::new(self.delivery.clone(), outcome)
    }
}
