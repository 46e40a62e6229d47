use serde::{Deserialize, Serialize};
use task_core::{CancelAnswer, Failure, FailureKind, TaskId, TaskStatus, Timestamp};

use super::{Apply, State, places::Place, task::Task};

/// Cancels a task: at once if it waits; if it runs, its worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cancel(pub TaskId);

impl Apply for Cancel {
    type Reply = CancelAnswer;

    fn apply(self, state: &mut State, now: Timestamp) -> CancelAnswer {
        state.housekeep(now);
        let id = &self.0;
        let live = match state.tasks.get_mut(id) {
            None => return CancelAnswer::NotFound,
            Some(Task::Live(live)) => live,
            Some(task) => return CancelAnswer::AlreadyFinal(task.status()),
        };
        let Place::Running(held) = live.place else {
            state.cancel_waiting(id, FailureKind::Cancelled, "cancelled before it ran", now);
            return CancelAnswer::Cancelled;
        };
        // asked again, it is not told again at once: the worker hears of it at each beat anyway
        if !std::mem::replace(&mut live.record.cancel_requested, true)
            && let Some(worker) = state.workers.get_mut(&held.worker)
        {
            worker.cancels.insert(id.clone(), false);
            state.effects.told.push(held.worker);
        }
        CancelAnswer::Requested
    }
}

impl State {
    /// PENDING or RETRY to CANCELLED.
    pub(super) fn cancel_waiting(&mut self, id: &TaskId, kind: FailureKind, why: &str, now: Timestamp) {
        let Some(live) = self.take(id) else { return };
        live.settled = None;
        live.record.error = Some(Failure::new(kind, why));
        self.finish(id, TaskStatus::Cancelled, now);
    }
}
