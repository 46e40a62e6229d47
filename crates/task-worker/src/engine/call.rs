//! Calls on the queue, sent again until they are answered.

use std::time::Duration;

use task_core::{
    Claim, Claimed, Incarnation, Name, Queue as _, QueueError, SettleReply, SettleRequest, TaskQueue,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{outage::Outage, panic::caught_future};

/// The longest that any call may take beyond its wait.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// The least time between two claims that bring nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// What came of a call.
pub(super) enum Answer {
    Claimed {
        lane: usize,
        worker: Incarnation,
        claimed: Result<Claimed, QueueError>,
    },
    Settled {
        lane: usize,
        worker: Incarnation,
        settled: Result<SettleReply, QueueError>,
    },
    /// What is left in all queues, if that can be told.
    Counted(Left),
}

/// What a drain still waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    Tasks(u64),
    /// The queue is away, or keeps no count and may have more.
    Unknown,
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
        Answer::Claimed { lane, worker, claimed }
    }

    async fn until_claimed(&self, claim: &Claim) -> Result<Claimed, QueueError> {
        self.until_answered("claim", &claim.queue, claim.wait, || self.queue.dequeue(claim.clone())).await
    }

    /// Settles, and claims in the same round trip if the request says so.
    pub(super) async fn settle(self, lane: usize, worker: Incarnation, request: SettleRequest) -> Answer {
        let call = || self.queue.settle(request.clone());
        let mut settled = self.until_answered("settle", &request.queue, Duration::ZERO, call).await;
        if let (Ok(reply), Some(claim)) = (&mut settled, &request.then) {
            reply.claimed = Some(match reply.claimed.take() {
                Some(claimed @ (Ok(_) | Err(QueueError::Closed(_)))) => claimed,
                // the ends were taken, and the claim failed by itself: it is sent again by its number
                Some(Err(_)) | None => self.until_claimed(claim).await,
            });
        }
        Answer::Settled { lane, worker, settled }
    }

    /// Whether these queues hold nothing that could still run. `quiet`: several claims in a row found nothing, nor
    /// anything due later.
    pub(super) async fn count(self, queues: Vec<Name>, quiet: bool) -> Answer {
        let mut left = 0;
        for queue in &queues {
            match timeout(LIMIT, self.queue.stats(queue)).await {
                // none but this worker is to come, so what nobody knows can't run
                Ok(Ok(stats)) => left += stats.live().saturating_sub(stats.unknown_name),
                Ok(Err(QueueError::Unsupported { .. })) if quiet => {}
                Ok(Err(_)) | Err(_) => return Answer::Counted(Left::Unknown),
            }
        }
        Answer::Counted(if left == 0 { Left::Nothing } else { Left::Tasks(left) })
    }

    /// Sends a call again until it is answered; the only error left is that the incarnation is closed.
    async fn until_answered<T, F>(
        &self,
        what: &'static str,
        queue: &Name,
        wait: Duration,
        call: impl Fn() -> F,
    ) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        loop {
            let error = match timeout(wait + LIMIT, caught_future(call())).await {
                Ok(Ok(answer @ (Ok(_) | Err(QueueError::Closed(_))))) => {
                    self.outage.answered(what, queue);
                    return answer;
                }
                Ok(Ok(Err(error))) => error,
                Ok(Err(panic)) => QueueError::Corrupt(format!("the backend failed: {panic}")),
                Err(_) => QueueError::answer_lost("no answer in time"),
            };
            self.outage.failed(what, queue, &error);
            sleep(if error.is_transient() { Duration::from_millis(300) } else { Duration::from_secs(2) })
                .await;
        }
    }
}
