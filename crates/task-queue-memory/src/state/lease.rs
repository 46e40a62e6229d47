//! The life of workers, as the queue sees it: registered by their first call, alive while their lease runs, closed by
//! a release or by its end. What a closed worker held is given back in bounded steps.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use task_core::{
    Failure, FailureKind, Holds, Incarnation, Registration, TaskId, TaskStatus, Timestamp, WorkerCommand,
};

use super::{Apply, STEP, State, WorkerClosed, places::End};

/// A gap of more than this between two requests means that the queue itself was away.
const OUTAGE: Duration = Duration::from_secs(Registration::LEASE.as_secs() / 2);
/// The most workers that one request takes for dead.
const REAPED: usize = 16;
/// A release gives back so many tasks itself, and so does a beat that says what its worker holds.
const RELEASED: usize = 1000;

/// A worker that is open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Worker {
    pub(super) registration: Arc<Registration>,
    pub(super) since: Timestamp,
    pub(super) seen: Timestamp,
    pub(super) lease_ends: Timestamp,
    pub(super) busy: u32,
    /// The newest claim number that came.
    pub(super) newest: u64,
    /// Claims up to this number have been answered for sure.
    pub(super) acked: u64,
    /// Claims that brought something, by their numbers: the last eight.
    pub(super) claims: VecDeque<Remembered>,
    /// Running tasks to cancel, and whether it was told.
    pub(super) cancels: BTreeMap<TaskId, bool>,
    /// What it has not heard yet, by growing numbers.
    pub(super) commands: VecDeque<(u64, WorkerCommand)>,
    pub(super) told_to_empty: bool,
}

/// What a claim brought.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) number: u64,
    pub(super) tasks: Vec<TaskId>,
}

/// A closed worker whose tasks are not all given back yet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Dying {
    worker: Incarnation,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Cause {
    Released,
    LeaseEnded,
    /// Its worker lives and holds the task no more.
    EndLost,
}

impl State {
    /// A claim or a beat: registers the worker, or renews its lease.
    pub(super) fn sign_of_life(
        &mut self,
        incarnation: Incarnation,
        registration: &Arc<Registration>,
        now: Timestamp,
    ) -> Result<(), WorkerClosed> {
        let lease_ends = now + registration.lease;
        if let Some(worker) = self.workers.get_mut(&incarnation) {
            (worker.seen, worker.lease_ends) = (now, lease_ends);
            return Ok(());
        }
        if self.closed.contains(incarnation, now) {
            return Err(WorkerClosed);
        }
        let worker = Worker {
            registration: registration.clone(),
            since: now,
            seen: now,
            lease_ends,
            busy: 0,
            newest: 0,
            acked: 0,
            claims: VecDeque::new(),
            cancels: BTreeMap::new(),
            commands: VecDeque::new(),
            told_to_empty: false,
        };
        self.workers.insert(incarnation, worker);
        self.leases.insert((lease_ends, incarnation));
        Ok(())
    }

    /// An outage is not a crash: after one, live workers beat before anybody is taken for dead.
    pub(super) fn notice_outage(&mut self, now: Timestamp) {
        if now.since(self.tick) > OUTAGE {
            self.grace_until = now + Registration::LEASE;
        }
        self.tick = now;
    }

    pub(super) fn reap(&mut self, now: Timestamp) {
        if now < self.grace_until {
            return;
        }
        for _ in 0..REAPED {
            let Some((_, incarnation)) = self.leases.first().copied().filter(|(end, _)| *end <= now) else {
                return;
            };
            self.leases.pop_first();
            let Some(worker) = self.workers.get(&incarnation) else { continue };
            if worker.lease_ends > now {
                self.leases.insert((worker.lease_ends, incarnation));
                continue;
            }
            self.closed.end(incarnation, now);
            self.close(incarnation, Cause::LeaseEnded);
        }
    }

    fn close(&mut self, worker: Incarnation, cause: Cause) {
        if let Some(closed) = self.workers.remove(&worker) {
            self.leases.remove(&(closed.lease_ends, worker));
            self.names_seen(&closed.registration.names, closed.seen);
            self.dying.push_back(Dying { worker, cause });
            self.effects.told.push(worker);
            self.effects.changed = true; // a claim of its may wait
        }
    }

    /// Gives back tasks of closed workers, the last given first, so that they lie in their old order at the front.
    pub(super) fn give_back(&mut self, most: usize, now: Timestamp) {
        for _ in 0..most {
            let Some(dying) = self.dying.front().copied() else { return };
            let held = self.places.running.of(dying.worker).next_back().map(|(_, id)| id.clone());
            match held {
                Some(id) => self.crash(id, dying.cause, now),
                None => drop(self.dying.pop_front()),
            }
        }
    }

    /// Gives back what a live worker does not hold, by its own word: how it ended was lost with other writes.
    pub(super) fn give_back_unheld(&mut self, worker: Incarnation, holds: &Holds, now: Timestamp) {
        let named: HashSet<(u64, &TaskId)> = holds.tasks.iter().map(|(claim, id)| (*claim, id)).collect();
        let unheld = self
            .places
            .running
            .of(worker)
            .rev()
            .filter(|(held, id)| holds.speaks_of(held.claim) && !named.contains(&(held.claim, *id)));
        // the last given first, as those of the dead
        let unheld: Vec<TaskId> = unheld.take(RELEASED).map(|(_, id)| id.clone()).collect();
        for id in unheld {
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.cancels.remove(&id);
            }
            self.crash(id, Cause::EndLost, now);
        }
    }

    fn crash(&mut self, id: TaskId, cause: Cause, now: Timestamp) {
        let Some(live) = self.take(&id) else { return };
        let was_suspect = live.is_suspect();
        let crashes = live.record.crashes.saturating_add(1);
        live.record.crashes = crashes;
        let end = if live.record.cancel_requested {
            live.record.error = Some(Failure::new(FailureKind::Cancelled, "cancelled while it ran"));
            Some(TaskStatus::Cancelled)
        } else if crashes > u32::from(live.terms.max_crashes) {
            let times = if crashes == 1 { "once".into() } else { format!("{crashes} times") };
            let died = match cause {
                Cause::Released | Cause::LeaseEnded => "its worker died under it",
                Cause::EndLost => "its end was lost, or its worker died under it,",
            };
            let wrong = format!("{died} {times}, and {} are allowed", live.terms.max_crashes);
            live.record.error = Some(Failure::new(FailureKind::Crashed, wrong));
            Some(TaskStatus::Failed)
        } else {
            (live.record.status, live.record.progress) = (TaskStatus::Pending, None);
            None
        };
        match cause {
            Cause::Released => self.totals.recovered_released += 1,
            Cause::LeaseEnded => self.totals.recovered_lease += 1,
            Cause::EndLost => self.totals.recovered_lost += 1,
        }
        self.effects.changed |= was_suspect; // its worker, if it lives, may take others again
        match end {
            Some(status) => self.finish(&id, status, now),
            None => self.make_ready(&id, End::Front, now),
        }
    }
}

/// Closes a worker for good, in all its generations.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Release(pub Incarnation);

impl Apply for Release {
    /// How many tasks it held.
    type Reply = u64;

    fn apply(self, state: &mut State, now: Timestamp) -> u64 {
        state.closed.release(self.0, now);
        let open = state.workers.keys().filter(|worker| worker.id() == self.0.id());
        let generations: Vec<Incarnation> = open.copied().collect();
        let held = generations.iter().map(|worker| state.places.running.of(*worker).count() as u64).sum();
        for worker in generations {
            state.close(worker, Cause::Released);
        }
        state.give_back(RELEASED.max(STEP), now);
        state.housekeep(now);
        held
    }
}
