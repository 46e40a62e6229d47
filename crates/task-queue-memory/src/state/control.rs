use serde::{Deserialize, Serialize};
use task_core::{ControlAnswer, FailureKind, Incarnation, TaskId, Timestamp, WorkerCommand};

use super::{Apply, State};

/// Gives nothing out, or gives out again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SetPaused(pub bool);

impl Apply for SetPaused {
    type Reply = ControlAnswer;

    fn apply(self, state: &mut State, now: Timestamp) -> ControlAnswer {
        state.housekeep(now);
        state.paused = self.0;
        state.effects.changed = true;
        state.effects.ready |= !self.0 && !state.places.ready.is_empty();
        ControlAnswer::Done(0)
    }
}

/// Takes in no more tasks while so many wait; `None`: no limit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SetLimit(pub Option<u64>);

impl Apply for SetLimit {
    type Reply = ControlAnswer;

    fn apply(self, state: &mut State, now: Timestamp) -> ControlAnswer {
        state.housekeep(now);
        state.limits.waiting = self.0;
        ControlAnswer::Done(0)
    }
}

/// Tells a worker something, which it hears with its next beat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Tell(pub Incarnation, pub WorkerCommand);

/// The most commands that wait for a worker to hear them; the oldest give way.
const MOST: usize = 64;

impl Apply for Tell {
    type Reply = ControlAnswer;

    fn apply(self, state: &mut State, now: Timestamp) -> ControlAnswer {
        state.housekeep(now);
        let Some(worker) = state.workers.get_mut(&self.0) else { return ControlAnswer::NotFound };
        if worker.commands.len() == MOST {
            worker.commands.pop_front();
        }
        state.commanded += 1;
        worker.commands.push_back((state.commanded, self.1));
        state.effects.told.push(self.0);
        ControlAnswer::Done(0)
    }
}

/// Cancels up to so many tasks that are PENDING or RETRY; answers how many.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Purge(pub usize);

impl Apply for Purge {
    type Reply = u64;

    fn apply(self, state: &mut State, now: Timestamp) -> u64 {
        state.housekeep(now);
        let mut purged = 0;
        while purged < self.0
            && let Some(id) = state.next_waiting()
        {
            state.cancel_waiting(&id, FailureKind::Purged, "its queue was purged", now);
            purged += 1;
        }
        purged as u64
    }
}

impl State {
    fn next_waiting(&self) -> Option<TaskId> {
        let places = &self.places;
        let lane = places.ready.first().or_else(|| places.suspects.first());
        let unknown = || self.unknown_after(None).next().map(|(.., id)| id);
        let timed = || [&places.delayed, &places.retries].into_iter().find_map(|s| s.values().next());
        lane.or_else(unknown).or_else(timed).cloned()
    }
}
