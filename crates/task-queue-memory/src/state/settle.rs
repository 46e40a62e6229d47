use task_core::{Claim, Outcome, SettleAnswer, TaskId, TaskStatus, Timestamp, Token};

use super::{
    Apply, Granted, State, WorkerClosed,
    places::{End as LaneEnd, Place},
    task::{Ended, Live, Task},
};

/// How one attempt ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) id: TaskId,
    pub(crate) token: Token,
    pub(crate) outcome: Outcome,
}

/// Ends attempts, and then perhaps claims.
#[derive(Debug)]
pub(crate) struct Settle {
    pub(crate) ends: Vec<End>,
    pub(crate) then: Option<Claim>,
}

#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) answers: Vec<SettleAnswer>,
    pub(crate) claimed: Option<Result<Granted, WorkerClosed>>,
}

impl Apply for Settle {
    type Reply = Settled;

    fn apply(self, state: &mut State, now: Timestamp) -> Settled {
        // before the housekeeping, since good work is taken while its token is current, however late
        let answers = self.ends.into_iter().map(|end| state.settle(end, now)).collect();
        let claimed = self.then.map(|claim| (&claim).apply(state, now));
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

    fn settle(&mut self, End { id, token, outcome }: End, now: Timestamp) -> SettleAnswer {
        match self.tasks.get(&id) {
            Some(Task::Live(live)) if self.is_current(live, token) => {}
            Some(task) if task.settled() == Some(Ended::new(token, &outcome)) => {
                return SettleAnswer::AlreadyDone;
            }
            _ => return SettleAnswer::Stale,
        }
        let Some(mut live) = self.take_live(&id) else { return SettleAnswer::Stale };
        if let Some(worker) = self.workers.get_mut(&token.worker) {
            worker.cancels.remove(&id);
        }
        self.effects.changed |= live.is_suspect(); // its worker may take others again
        live.settled = Some(Ended::new(token, &outcome));
        live.record = live.record.settled(&outcome, now);
        match (live.record.status, outcome) {
            (TaskStatus::Retry, _) => self.make_retry(id, live, now),
            (TaskStatus::Pending, Outcome::NameUnknown) => {
                self.make_unknown(id, live, now);
            }
            (TaskStatus::Pending, _) => {
                self.totals.released += 1;
                self.make_ready(id, live, LaneEnd::Front, now);
            }
            (status, _) => self.finish(id, live, status, now),
        }
        SettleAnswer::Done
    }

    fn make_retry(&mut self, id: TaskId, mut live: Box<Live>, now: Timestamp) {
        self.totals.retried += 1;
        let key = self.places.key(live.record.due_at.unwrap_or(now));
        self.places.retries.insert(key, id.clone());
        live.place = Place::Retry(key);
        self.tasks.insert(id, Task::Live(live));
    }
}
