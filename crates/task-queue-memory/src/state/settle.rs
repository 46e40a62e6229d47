use serde::{Deserialize, Serialize};
use task_core::{
    Batch, Claim, Incarnation, Outcome, QueueError, SettleAnswer, SettleReply, SettleRequest, TaskId,
    TaskStatus, Timestamp, Token,
};

use super::{
    Apply, Granted, State, WorkerClosed,
    places::{End as LaneEnd, Place},
    task::{Ended, Live, Task},
};

/// How one attempt ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// The task.
    pub id: TaskId,
    /// By what right.
    pub token: Token,
    /// How.
    pub outcome: Outcome,
}

/// Ends attempts, and then perhaps claims.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settle {
    /// The attempts.
    pub ends: Vec<End>,
    /// The claim after them.
    pub then: Option<Claim>,
}

impl TryFrom<SettleRequest> for Settle {
    type Error = QueueError;

    /// [`QueueError::Invalid`] if it is too large, or its claim is on another queue.
    fn try_from(request: SettleRequest) -> Result<Self, QueueError> {
        let SettleRequest { queue, settlements, then, .. } = request;
        if settlements.len() > Batch::MAX {
            let wrong = format!("a batch of {} settlements; it may have {}", settlements.len(), Batch::MAX);
            return Err(QueueError::invalid(wrong));
        }
        if let Some(claim) = then.as_ref().filter(|claim| claim.queue != queue) {
            let wrong = format!("settlements of queue `{queue}` with a claim on `{}`", claim.queue);
            return Err(QueueError::invalid(wrong));
        }
        let ends = settlements.into_iter().map(|settlement| End {
            id: settlement.delivery.id().clone(),
            token: settlement.delivery.token,
            outcome: settlement.outcome,
        });
        Ok(Self { ends: ends.collect(), then })
    }
}

/// The answers to a [`Settle`].
#[derive(Debug)]
pub struct Settled {
    /// One for each end, in their order.
    pub answers: Vec<SettleAnswer>,
    /// The answer to the claim, if there was one, and whose claim it was.
    pub claimed: Option<(Incarnation, Result<Granted, WorkerClosed>)>,
}

impl From<Settled> for SettleReply {
    fn from(settled: Settled) -> Self {
        let mut reply = Self::new(settled.answers);
        reply.claimed = settled
            .claimed
            .map(|(worker, granted)| granted.map(Into::into).map_err(|_| QueueError::Closed(worker)));
        reply
    }
}

impl Apply for Settle {
    type Reply = Settled;

    fn apply(self, state: &mut State, now: Timestamp) -> Settled {
        // before the housekeeping, since good work is taken while its token is current, however late
        let released = self.ends.iter().filter(|end| end.outcome == Outcome::Released).count();
        let first = state.places.ready.reserve(released);
        let mut places = (first..).map(LaneEnd::Reserved);
        state.touch(self.ends.iter().map(|end| &end.id));
        let answers = self.ends.into_iter().map(|end| state.settle(end, &mut places, now)).collect();
        let claimed = self.then.map(|claim| (claim.worker, claim.apply(state, now)));
        if claimed.is_none() {
            state.housekeep(now);
        }
        Settled { answers, claimed }
    }
}

impl State {
    /// Whether a task runs under this token, and its worker is open.
    pub(super) fn is_current(&self, live: &Live, token: Token) -> bool {
        matches!(live.place, Place::Running(held) if held.token() == token)
            && self.workers.contains_key(&token.worker)
    }

    /// `places` are those of what is given back, so that it keeps its order.
    fn settle(
        &mut self,
        End { id, token, outcome }: End,
        places: &mut impl Iterator<Item = LaneEnd>,
        now: Timestamp,
    ) -> SettleAnswer {
        let ended = Ended::new(token, &outcome);
        match self.tasks.get(&id) {
            Some(Task::Live(live)) if self.is_current(live, token) => {}
            Some(task) if task.settled() == Some(ended) => return SettleAnswer::AlreadyDone,
            _ => return SettleAnswer::Stale,
        }
        let Some(live) = self.take(&id) else { return SettleAnswer::Stale };
        let (was_suspect, was_unknown) = (live.is_suspect(), outcome == Outcome::NameUnknown);
        live.settled = Some(ended);
        live.record.settle(outcome, now);
        let status = live.record.status;
        self.effects.changed |= was_suspect; // its worker may take others again
        if let Some(worker) = self.workers.get_mut(&token.worker) {
            worker.cancels.remove(&id);
        }
        match status {
            TaskStatus::Retry => self.make_retry(&id, now),
            TaskStatus::Pending if was_unknown => self.make_unknown(&id, now),
            TaskStatus::Pending => {
                self.totals.released += 1;
                self.make_ready(&id, places.next().unwrap_or(LaneEnd::Front), now);
            }
            status => self.finish(&id, status, now),
        }
        SettleAnswer::Done
    }

    fn make_retry(&mut self, id: &TaskId, now: Timestamp) {
        let Self { tasks, places, totals, .. } = self;
        let Some(Task::Live(live)) = tasks.get_mut(id) else { return };
        totals.retried += 1;
        let key = places.key(live.record.due_at.unwrap_or(now));
        places.retries.insert(key, id.clone());
        live.place = Place::Retry(key);
    }
}
