//! Backends with one flaw each: the suite must catch every one of them, or it does not bite.
//!
//! Which promises catch which flaw is printed by
//! `cargo nextest run -p task-testkit --test broken --success-output final`.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Claim, Claimed, Command, ControlAnswer, Delivery, EnqueueReply,
    Enqueued, Explanation, Filter, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page, Queue,
    QueueError, QueueStats, SettleAnswer, SettleReply, SettleRequest, TaskId, TaskMessage,
};
use task_testkit::{Harness, ModelQueue, Promise, promises};

const NO_FENCING: u8 = 0;
const DESTRUCTIVE_POP: u8 = 1;
const ENQUEUE_OVERWRITES: u8 = 2;
const WAKE_FORGOTTEN: u8 = 3;
const SUSPECTS_AMONG_NEIGHBOURS: u8 = 4;
const OUTAGE_TAKEN_FOR_A_CRASH: u8 = 5;
const CANCEL_NOT_TOLD: u8 = 6;
const BATCH_FAILS_WHOLE: u8 = 7;

/// A correct backend, made wrong in one way.
struct Broken<const FLAW: u8, Q> {
    inner: Q,
    latest: Mutex<HashMap<TaskId, Arc<Delivery>>>,
}

impl<const FLAW: u8, Q: Queue> Queue for Broken<FLAW, Q> {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        let mut reply = self.inner.enqueue(batch.clone()).await?;
        if FLAW == ENQUEUE_OVERWRITES {
            for (message, answer) in batch.messages.into_iter().zip(&mut reply.answers) {
                if matches!(answer, Enqueued::Exists { .. }) {
                    let id = message.id.clone();
                    self.inner.cancel(&batch.queue, &id).await?;
                    self.inner.control(&batch.queue, Command::Delete(id)).await?;
                    self.inner.enqueue(Batch::new(batch.queue.clone(), vec![message])).await?;
                }
            }
        }
        Ok(reply)
    }

    async fn dequeue(&self, mut claim: Claim) -> Result<Claimed, QueueError> {
        if FLAW == DESTRUCTIVE_POP {
            Arc::make_mut(&mut claim.registration).lease = Duration::from_secs(1 << 40);
        }
        if FLAW == SUSPECTS_AMONG_NEIGHBOURS && !claim.idle {
            let mut ghost = claim.clone();
            (ghost.worker, ghost.number, ghost.idle, ghost.max_tasks) = (Incarnation::new(), 1, true, 1);
            let claimed = self.inner.dequeue(ghost).await?;
            if !claimed.tasks.is_empty() {
                return Ok(claimed);
            }
        }
        let wait = claim.wait;
        if FLAW == WAKE_FORGOTTEN {
            claim.wait = Duration::ZERO;
        }
        let claimed = self.inner.dequeue(claim).await?;
        if FLAW == WAKE_FORGOTTEN && claimed.tasks.is_empty() {
            tokio::time::sleep(wait).await;
        }
        let mut latest = self.latest.lock().unwrap();
        for delivery in &claimed.tasks {
            latest.insert(delivery.id().clone(), delivery.clone());
        }
        Ok(claimed)
    }

    async fn settle(&self, mut request: SettleRequest) -> Result<SettleReply, QueueError> {
        if FLAW == NO_FENCING {
            let latest = self.latest.lock().unwrap();
            for settlement in &mut request.settlements {
                settlement.delivery = latest[settlement.delivery.id()].clone();
            }
        }
        let reply = self.inner.settle(request).await?;
        if FLAW == BATCH_FAILS_WHOLE && reply.answers.contains(&SettleAnswer::Stale) {
            return Err(QueueError::Corrupt("a settlement is stale".into()));
        }
        Ok(reply)
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        let mut reply = self.inner.heartbeat(beat).await?;
        if FLAW == CANCEL_NOT_TOLD {
            reply.cancel.clear();
        }
        Ok(reply)
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        if FLAW == DESTRUCTIVE_POP { Ok(0) } else { self.inner.release(queue, worker).await }
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        self.inner.result(queue, id).await
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        self.inner.info().await
    }

    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        self.inner.wait(queue, id, timeout).await
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        self.inner.cancel(queue, id).await
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        self.inner.control(queue, command).await
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        self.inner.stats(queue).await
    }

    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        self.inner.list(queue, filter).await
    }

    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        self.inner.explain(queue, id).await
    }

    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        self.inner.queues().await
    }

    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        self.inner.message(queue, id).await
    }
}

impl<const FLAW: u8> Harness for Broken<FLAW, ModelQueue> {
    type Queue = Self;

    async fn open() -> Self {
        Self { inner: ModelQueue::new(), latest: Mutex::default() }
    }

    fn queue(&self) -> &Self {
        self
    }

    async fn advance(&self, by: Duration) {
        self.inner.advance(by);
    }

    async fn outage(&self, by: Duration) {
        match FLAW {
            OUTAGE_TAKEN_FOR_A_CRASH => self.inner.advance(by),
            _ => self.inner.outage(by),
        }
    }
}

/// How many promises are tested at the same time: those that are never woken only wait.
const AT_ONCE: usize = 20;

/// Asserts that this promise catches the flaw, and prints every other one that does.
fn is_caught<const FLAW: u8>(flaw: &str, by: &str) {
    let mut promises = promises::<Broken<FLAW, ModelQueue>>();
    // what is woken late takes its time, so only those that are about it are tested
    promises.retain(|promise| FLAW != WAKE_FORGOTTEN || promise.subject == "waiting");
    let mut caught = Vec::new();
    for some in promises.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let broken = |promise: &Promise<_>| catch_unwind(AssertUnwindSafe(|| promise.check())).is_err();
            let tests: Vec<_> = some.iter().map(|promise| scope.spawn(move || broken(promise))).collect();
            for (promise, test) in some.iter().zip(tests) {
                if test.join().unwrap() {
                    caught.push(format!("{}::{}", promise.subject, promise.name));
                }
            }
        });
    }
    println!("{flaw} is caught by {} promises:\n  {}", caught.len(), caught.join("\n  "));
    assert!(caught.iter().any(|name| name == by), "{flaw} is not caught by {by}, only by {caught:#?}");
}

#[test]
fn a_backend_without_fencing_is_caught() {
    is_caught::<NO_FENCING>("no fencing", "fencing::a_worker_that_was_released_can_not_settle_what_it_held");
}

#[test]
fn a_backend_that_pops_destructively_is_caught() {
    is_caught::<DESTRUCTIVE_POP>(
        "a destructive pop",
        "lease::a_release_gives_back_at_once_and_closes_every_generation",
    );
}

#[test]
fn a_backend_whose_enqueue_overwrites_is_caught() {
    is_caught::<ENQUEUE_OVERWRITES>(
        "an enqueue that overwrites",
        "enqueue::another_task_under_an_id_that_is_there_changes_nothing",
    );
}

#[test]
fn a_backend_that_forgets_to_wake_is_caught() {
    is_caught::<WAKE_FORGOTTEN>("a wake forgotten", "waiting::a_claim_that_waits_is_woken_by_an_enqueue");
}

#[test]
fn a_backend_that_runs_suspects_among_neighbours_is_caught() {
    is_caught::<SUSPECTS_AMONG_NEIGHBOURS>(
        "a suspect among neighbours",
        "suspects::a_suspect_runs_alone_and_only_in_a_worker_that_holds_nothing",
    );
}

#[test]
fn a_backend_that_takes_an_outage_for_a_crash_is_caught() {
    is_caught::<OUTAGE_TAKEN_FOR_A_CRASH>(
        "an outage taken for a crash",
        "lease::after_an_outage_live_workers_keep_what_they_hold",
    );
}

#[test]
fn a_backend_that_tells_no_worker_of_a_cancel_is_caught() {
    is_caught::<CANCEL_NOT_TOLD>(
        "a cancel that is not told",
        "heartbeat::a_cancel_ends_the_wait_of_the_heartbeat_of_the_worker_that_has_the_task",
    );
}

#[test]
fn a_backend_that_fails_a_batch_for_one_stale_settlement_is_caught() {
    is_caught::<BATCH_FAILS_WHOLE>(
        "a batch that fails for one settlement",
        "settle::a_stale_settlement_fails_nothing_but_itself",
    );
}
