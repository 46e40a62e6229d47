//! Calls on the queue, sent again until they are answered.

use std::time::Duration;

use task_core::{
    Capability, Claim, Claimed, Incarnation, Name, Queue as _, QueueError, SettleReply, SettleRequest,
    Settlement, TaskQueue,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{outage::Outage, panic::caught_future};

/// The longest that any call may take beyond its wait.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// The waits before a call is sent again: a lost answer is made up for at once, and a queue that is away not hammered.
const FIRST: Duration = Duration::from_millis(10);
const MOST: Duration = Duration::from_millis(500);
/// The same after an error that does not end by itself.
const REFUSED: Duration = Duration::from_secs(2);
/// How long a message of a newer release is kept before it is given back.
const UNREADABLE: Duration = Duration::from_secs(1);
/// The least time between two claims that bring nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// What came of a call.
pub(super) enum Answer {
    Claimed {
        lane: usize,
        worker: Incarnation,
        /// Of the claim.
        number: u64,
        claimed: Result<Claimed, QueueError>,
    },
    Settled {
        lane: usize,
        worker: Incarnation,
        settlements: Vec<Settlement>,
        /// The number of the claim after them, if there was one.
        then: Option<u64>,
        settled: Result<SettleReply, QueueError>,
        took: Duration,
    },
    /// What is left in all queues, if that can be told.
    Counted(Left),
    /// It is time to give this back.
    PutOff { lane: usize, settlement: Settlement },
}

/// Gives back later what this release can't read: it comes back at once, as this worker knows the name.
pub(super) async fn put_off(lane: usize, settlement: Settlement) -> Answer {
    sleep(UNREADABLE).await;
    Answer::PutOff { lane, settlement }
}

/// What a drain still waits for.
#[derive(Debug)]
pub(super) enum Left {
    Nothing,
    Tasks(u64),
    /// The queue keeps no count, and may have more.
    Unknown,
    /// The queue did not say.
    Untold(QueueError),
}

/// The backend, as the loop calls it.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) queue: TaskQueue,
    pub(crate) outage: Outage,
}

impl Caller {
    /// Claims; when it is recalled, what the claim has brought is asked for without a wait.
    pub(super) async fn claim(self, lane: usize, mut claim: Claim, recall: CancellationToken) -> Answer {
        let (worker, started) = (claim.worker, Instant::now());
        // The loser of this race may have taken tasks: the same claim number gives the same ones again.
        let claimed = tokio::select! {
            claimed = self.until_claimed(&claim) => claimed,
            () = recall.cancelled() => {
                // for as many: a copy that was sent before and is carried out after this one then has nothing that this one left
                claim.wait = Duration::ZERO;
                self.until_claimed(&claim).await
            }
        };
        let nothing = claimed.as_ref().is_ok_and(|claimed| claimed.tasks.is_empty());
        if nothing && started.elapsed() < claim.wait {
            // a worker asked to run empty is answered at once: that must not become a busy loop
            tokio::select! {
                () = sleep(PAUSE.min(claim.wait)) => {}
                () = recall.cancelled() => {}
            }
        }
        Answer::Claimed { lane, worker, number: claim.number, claimed }
    }

    async fn until_claimed(&self, claim: &Claim) -> Result<Claimed, QueueError> {
        // sent again it does not wait: so it is known at once that the queue is back
        let call = |again| {
            let mut claim = claim.clone();
            claim.wait = if again { Duration::ZERO } else { claim.wait };
            self.queue.dequeue(claim)
        };
        self.until_answered("claim", &claim.queue, claim.wait, call).await
    }

    /// Settles, and claims in the same round trip if the request says so.
    pub(super) async fn settle(self, lane: usize, worker: Incarnation, request: SettleRequest) -> Answer {
        let call = |_| async {
            let reply = self.queue.settle(request.clone()).await?;
            let (answers, ends) = (reply.answers.len(), request.settlements.len());
            if answers == ends {
                return Ok(reply);
            }
            // which of them it answered can't be told; what was settled is told so when it is sent again
            Err(QueueError::Corrupt(format!(
                "the backend gave {answers} answers to {ends} ends of attempts; it must give one for each, in their order"
            )))
        };
        let began = Instant::now();
        let mut settled = self.until_answered("settle", &request.queue, Duration::ZERO, call).await;
        let took = began.elapsed();
        if let (Ok(reply), Some(claim)) = (&mut settled, &request.then) {
            reply.claimed = Some(match reply.claimed.take() {
                Some(claimed @ (Ok(_) | Err(QueueError::Closed(_)))) => claimed,
                // the ends were taken, and the claim failed by itself: it is sent again by its number
                Some(Err(_)) | None => self.until_claimed(claim).await,
            });
        }
        let then = request.then.map(|claim| claim.number);
        Answer::Settled { lane, worker, settlements: request.settlements, then, settled, took }
    }

    /// Signs off: until it is answered, or the time is over.
    pub(super) async fn release(&self, queue: &Name, worker: Incarnation, limit: Duration) {
        let call = |_| self.queue.release(queue, worker);
        if timeout(limit, self.until_answered("release", queue, Duration::ZERO, call)).await.is_err() {
            tracing::warn!(%queue, %worker, "could not sign off; its lease will end");
        }
    }

    /// Whether these queues hold nothing that could still run. `quiet`: several claims in a row found nothing, nor
    /// anything due later.
    pub(super) async fn count(self, queues: Vec<Name>, quiet: bool) -> Answer {
        let mut left = 0;
        for queue in &queues {
            let stats = match timeout(LIMIT, caught_future(self.queue.stats(queue))).await {
                Ok(Ok(stats)) => stats,
                Ok(Err(panic)) => Err(QueueError::Corrupt(format!("the backend failed: {panic}"))),
                Err(_) => Err(QueueError::answer_lost("no answer in time")),
            };
            match stats {
                // none but this worker is to come, so what nobody knows can't run
                Ok(stats) => left += stats.live().saturating_sub(stats.unknown_name),
                Err(QueueError::Unsupported { .. }) if quiet => {}
                Err(QueueError::Unsupported { .. }) => return Answer::Counted(Left::Unknown),
                Err(error) => return Answer::Counted(Left::Untold(error)),
            }
        }
        Answer::Counted(if left == 0 { Left::Nothing } else { Left::Tasks(left) })
    }

    /// Says what the backend can't do.
    pub(super) async fn say_gaps(self) {
        // one that does not answer now does so to taskctl
        let Ok(Ok(info)) = timeout(LIMIT, self.queue.info()).await else { return };
        let gaps: Vec<&str> = info.capabilities.missing().map(Capability::as_str).collect();
        if !gaps.is_empty() {
            let gaps = gaps.join(", ");
            tracing::info!(backend = %info.backend, %gaps, "this queue can't do all that others can");
        }
    }

    /// Sends a call again until it is answered; the only error left is that the incarnation is closed. The call is told
    /// whether it was sent before.
    async fn until_answered<T, F>(
        &self,
        what: &'static str,
        queue: &Name,
        wait: Duration,
        call: impl Fn(bool) -> F,
    ) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let (mut pause, mut again) = (FIRST, false);
        loop {
            let error =
                match timeout(wait + LIMIT, caught_future(call(std::mem::replace(&mut again, true)))).await {
                    Ok(Ok(answer @ (Ok(_) | Err(QueueError::Closed(_))))) => {
                        self.outage.answered(what, queue);
                        return answer;
                    }
                    Ok(Ok(Err(error))) => error,
                    Ok(Err(panic)) => QueueError::Corrupt(format!("the backend failed: {panic}")),
                    Err(_) => QueueError::answer_lost("no answer in time"),
                };
            self.outage.failed(what, queue, &error);
            sleep(if error.is_transient() { pause } else { REFUSED }).await;
            pause = (pause * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use task_core::{
        BackendInfo, Batch, EnqueueReply, Heartbeat, HeartbeatReply, Lookup, Outcome, QueueStats,
        Registration, TaskId, TaskMessage, TaskOptions,
    };
    use task_queue_memory::MemoryQueue;
    use task_testkit::{Hostile, Mishap, Mishap::Hang};

    use super::*;

    fn caller(plan: &[Mishap]) -> (MemoryQueue, Caller) {
        let memory = MemoryQueue::new();
        let queue = TaskQueue::new(Hostile::new(memory.clone()).plan(plan.iter().copied()));
        (memory, Caller { queue, outage: Outage::default() })
    }

    async fn put(memory: &MemoryQueue) {
        let params = task_core::encode(&()).unwrap();
        let message =
            TaskMessage::new("one".parse().unwrap(), "work", params, TaskOptions::default()).unwrap();
        memory.enqueue(Batch::new(Name::DEFAULT_QUEUE, vec![message])).await.unwrap();
    }

    fn claim(wait: Duration) -> Claim {
        let registration = Arc::new(Registration::new("worker", ["work".parse().unwrap()]));
        let mut claim = Claim::new(Name::DEFAULT_QUEUE, Incarnation::new(), registration, 1);
        claim.wait = wait;
        claim
    }

    fn tasks(answer: Answer) -> Vec<Arc<task_core::Delivery>> {
        match answer {
            Answer::Claimed { claimed, .. } => claimed.unwrap().tasks,
            _ => panic!("not the answer to a claim"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_given_up_and_sent_again() {
        // a connection that was never answered parked its worker for ever
        let (memory, caller) = caller(&[Hang, Hang]);
        put(&memory).await;
        let answer = caller.claim(0, claim(Duration::from_secs(5)), CancellationToken::new()).await;
        assert_eq!(tasks(answer).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_recalled_claim_gives_the_tasks_that_it_had_brought() {
        let (memory, caller) = caller(&[Mishap::LoseReply]);
        put(&memory).await;
        let recall = CancellationToken::new();
        recall.cancel();
        let asked = claim(Duration::from_secs(3600));
        let first = tasks(caller.clone().claim(0, asked.clone(), recall).await);
        let again = tasks(caller.claim(0, asked, CancellationToken::new()).await);
        assert_eq!((first.len(), first[0].token), (1, again[0].token), "the number gives the same task");
    }

    #[tokio::test(start_paused = true)]
    async fn ends_and_the_next_claim_are_sent_again_together_when_their_answer_is_lost() {
        for mishap in [Mishap::LoseReply, Mishap::Twice, Mishap::Fail] {
            let (memory, caller) = caller(&[Mishap::None, mishap, mishap]);
            put(&memory).await;
            let mut next = claim(Duration::ZERO);
            let first = tasks(caller.clone().claim(0, next.clone(), CancellationToken::new()).await);
            (next.number, next.acked) = (2, 1);
            let ends = vec![Settlement::new(first[0].clone(), Outcome::Released)];
            let request = SettleRequest::new(Name::DEFAULT_QUEUE, ends).then(next);
            let answer = caller.settle(0, first[0].token.worker, request).await;
            let Answer::Settled { settled, .. } = answer else { panic!("not the answer to a settle") };
            let again = settled.unwrap().claimed.unwrap().unwrap().tasks;
            assert_eq!(
                (again.len(), again[0].token.claim, again[0].record.attempts),
                (1, 2, 2),
                "{mishap:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_that_is_not_answered_keeps_a_drain_going() {
        let (_memory, caller) = caller(&[Hang]);
        let queues = vec![Name::DEFAULT_QUEUE];
        let left = |answer| if let Answer::Counted(left) = answer { Some(left) } else { None };
        assert!(matches!(left(caller.clone().count(queues.clone(), true).await), Some(Left::Untold(_))));
        assert!(matches!(left(caller.count(queues, true).await), Some(Left::Nothing)));
    }

    #[tokio::test]
    async fn a_backend_that_panics_as_it_counts_keeps_a_drain_going() {
        // the panic took the answer with it, the drain took itself to be counting for ever, and never ended
        let caller = Caller { queue: TaskQueue::new(Panics), outage: Outage::default() };
        let answer = caller.count(vec![Name::DEFAULT_QUEUE], true).await;
        assert!(matches!(answer, Answer::Counted(Left::Untold(QueueError::Corrupt(_)))));
    }

    /// A backend of somebody's own, which is only asked to count.
    struct Panics;

    fn away<T>() -> Result<T, QueueError> {
        Err(QueueError::unreachable("away"))
    }

    impl task_core::Queue for Panics {
        async fn enqueue(&self, _: Batch) -> Result<EnqueueReply, QueueError> {
            away()
        }
        async fn dequeue(&self, _: Claim) -> Result<Claimed, QueueError> {
            away()
        }
        async fn settle(&self, _: SettleRequest) -> Result<SettleReply, QueueError> {
            away()
        }
        async fn heartbeat(&self, _: Heartbeat) -> Result<HeartbeatReply, QueueError> {
            away()
        }
        async fn release(&self, _: &Name, _: Incarnation) -> Result<u64, QueueError> {
            away()
        }
        async fn result(&self, _: &Name, _: &TaskId) -> Result<Lookup, QueueError> {
            away()
        }
        async fn stats(&self, _: &Name) -> Result<QueueStats, QueueError> {
            panic!("no such column")
        }
        async fn info(&self) -> Result<BackendInfo, QueueError> {
            away()
        }
    }
}
