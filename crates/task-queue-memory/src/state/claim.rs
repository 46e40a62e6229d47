use std::time::Duration;

use bytes::Bytes;
use task_core::{
    Batch, Claim, Claimed, Delivery, Incarnation, ResultMessage, TaskId, TaskStatus, Timestamp, Token,
};

use super::{
    Apply, State,
    lease::Remembered,
    places::{Held, Place},
};

/// The answer to a claim; its deliveries are read when it becomes a [`Claimed`], after the queue is unlocked.
#[derive(Debug, Default)]
pub struct Granted {
    /// What it brought.
    pub tasks: Vec<Grant>,
    /// As [`Claimed::more`].
    pub more: bool,
    /// As [`Claimed::next_wake`].
    pub next_wake: Option<Duration>,
    /// As [`Claimed::run_empty`].
    pub run_empty: bool,
    /// As [`Claimed::paused`].
    pub paused: bool,
    /// This claim was carried out before, or is too old: to wait brings nothing.
    pub over: bool,
    /// Its worker runs a suspect: what becomes ready is not for it.
    pub barred: bool,
}

/// A task that a claim gave out.
#[derive(Debug)]
pub struct Grant {
    /// The right to settle it.
    pub token: Token,
    /// Its message as it is stored.
    pub stored: Bytes,
    /// What is known of it, at the start of this attempt.
    pub record: ResultMessage,
}

/// The worker was released, or its lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerClosed;

impl Granted {
    /// Whether there is something to answer, so that a claim which may wait does not.
    pub fn is_answer(&self) -> bool {
        !self.tasks.is_empty() || self.run_empty || self.over
    }
}

impl From<Granted> for Claimed {
    fn from(granted: Granted) -> Self {
        let delivery = |Grant { token, stored, record }| Delivery::new(token, &stored, record);
        let mut claimed = Self::new(granted.tasks.into_iter().map(delivery));
        (claimed.more, claimed.next_wake) = (granted.more, granted.next_wake);
        (claimed.run_empty, claimed.paused) = (granted.run_empty, granted.paused);
        claimed
    }
}

impl Apply for Claim {
    type Reply = Result<Granted, WorkerClosed>;

    fn apply(self, state: &mut State, now: Timestamp) -> Self::Reply {
        (&self).apply(state, now)
    }
}

impl Apply for &Claim {
    type Reply = Result<Granted, WorkerClosed>;

    fn apply(self, state: &mut State, now: Timestamp) -> Self::Reply {
        // first, since a late sign of life counts as long as nobody has taken the worker for dead
        if let Err(closed) = state.sign_of_life(self.worker, &self.registration, now) {
            state.wake_next(); // the wake that it may have had is another's
            return Err(closed);
        }
        state.housekeep(now);
        Ok(state.claim(self, now))
    }
}

impl State {
    fn claim(&mut self, claim: &Claim, now: Timestamp) -> Granted {
        let mut granted = self.give(claim, now).unwrap_or_default();
        granted.run_empty = self.asks_to_empty(claim.worker);
        granted.paused = self.paused;
        granted.more = !self.paused
            && (!self.places.ready.is_empty() || self.known_list(&claim.registration.names).is_some());
        granted.next_wake = self.places.next_due().map(|due| due.since(now));
        // a claimer that leaves ready tasks wakes the next one: its own wake may have been for these
        self.wake_next();
        granted
    }

    fn wake_next(&mut self) {
        self.effects.ready |= !self.paused && !self.places.ready.is_empty();
    }

    fn give(&mut self, claim: &Claim, now: Timestamp) -> Option<Granted> {
        let worker = self.workers.get_mut(&claim.worker)?;
        worker.acked = worker.acked.max(claim.acked);
        while worker.claims.front().is_some_and(|claim| claim.number <= worker.acked) {
            worker.claims.pop_front();
        }
        if let Some(again) = worker.claims.iter().find(|remembered| remembered.number == claim.number) {
            let ids = again.tasks.clone();
            let held = ids.iter().filter_map(|id| self.grant_again(claim.token(), id));
            return Some(Granted { tasks: held.collect(), over: true, ..Granted::default() });
        }
        let oldest = worker.newest.saturating_sub(Claim::IN_FLIGHT);
        if claim.number <= worker.acked.max(oldest) {
            return Some(Granted { over: true, ..Granted::default() });
        }
        worker.newest = worker.newest.max(claim.number);
        if claim.max_tasks == 0 || self.paused {
            return Some(Granted { over: claim.max_tasks == 0, ..Granted::default() });
        }
        if self.holds_suspect(claim.worker) {
            return Some(Granted { barred: true, ..Granted::default() });
        }
        let tasks = match self.take_suspect(claim, now) {
            Some(suspect) => vec![suspect],
            None => self.take_ready(claim, now),
        };
        self.remember_claim(claim, &tasks);
        Some(Granted { tasks, ..Granted::default() })
    }

    fn take_ready(&mut self, claim: &Claim, now: Timestamp) -> Vec<Grant> {
        let most = claim.max_tasks.min(Batch::MAX);
        self.touch(self.places.ready.after(None).take(most).map(|(_, id)| id));
        let mut tasks = Vec::with_capacity(most.min(self.places.ready.len() + self.in_unknown()));
        let mut bytes = 0;
        // what has expired is looked at, too, so the steps are counted, not the tasks
        for _ in 0..Batch::MAX {
            if tasks.len() == most {
                break;
            }
            let from_list = self.known_list(&claim.registration.names);
            let Some(id) = from_list.or_else(|| self.places.ready.first()).cloned() else { break };
            let Some(live) = self.live(&id) else { break };
            if live.has_expired(now) {
                self.expire_one(&id, now);
                continue;
            }
            bytes += live.terms.stored.len();
            if bytes > claim.max_bytes && !tasks.is_empty() {
                break;
            }
            tasks.extend(self.start(id, claim, tasks.len(), now));
        }
        tasks
    }

    /// PENDING to RUNNING.
    pub(super) fn start(&mut self, id: TaskId, claim: &Claim, nth: usize, now: Timestamp) -> Option<Grant> {
        let held = Held { worker: claim.worker, claim: claim.number, nth: u32::try_from(nth).ok()? };
        let live = self.take(&id)?;
        live.settled = None;
        live.place = Place::Running(held);
        let record = &mut live.record;
        record.status = TaskStatus::Running;
        record.attempts = record.attempts.saturating_add(1);
        record.started_at = Some(now);
        record.worker = Some(claim.registration.label.clone());
        record.error = None;
        let grant =
            Grant { token: held.token(), stored: live.terms.stored.clone(), record: live.record.clone() };
        self.places.running.insert(held, id);
        Some(grant)
    }

    fn remember_claim(&mut self, claim: &Claim, tasks: &[Grant]) {
        let Some(worker) = self.workers.get_mut(&claim.worker) else { return };
        if tasks.is_empty() {
            return; // nothing was given, so the same number may still bring something
        }
        let ids = tasks.iter().map(|grant| grant.record.id.clone()).collect();
        let place = worker.claims.partition_point(|other| other.number < claim.number);
        worker.claims.insert(place, Remembered { number: claim.number, tasks: ids });
        if worker.claims.len() > Claim::IN_FLIGHT as usize {
            worker.claims.pop_front();
        }
    }

    /// What a claim gave before, if it is still running under that claim.
    fn grant_again(&self, token: Token, id: &TaskId) -> Option<Grant> {
        let live = self.live(id)?;
        let current = matches!(live.place, Place::Running(held) if held.token() == token);
        current.then(|| Grant { token, stored: live.terms.stored.clone(), record: live.record.clone() })
    }

    pub(super) fn holds_nothing(&self, worker: Incarnation) -> bool {
        self.places.running.of(worker).next().is_none()
    }
}
