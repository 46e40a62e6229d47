use serde::{Deserialize, Serialize};
use task_core::{ControlAnswer, ResultMessage, TaskId, TaskStatus, Timestamp};

use super::{
    Apply, State,
    places::{End, Place},
    task::{Live, Task},
};

/// Runs a FAILED or CANCELLED task again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay(pub TaskId);

impl Apply for Replay {
    type Reply = ControlAnswer;

    fn apply(self, state: &mut State, now: Timestamp) -> ControlAnswer {
        state.housekeep(now);
        state.replay(&self.0, now)
    }
}

impl State {
    fn replay(&mut self, id: &TaskId, now: Timestamp) -> ControlAnswer {
        let done = match self.tasks.get(id) {
            None | Some(Task::Gone(_)) => return ControlAnswer::NotFound,
            Some(Task::Final(done)) if matches!(done.status, TaskStatus::Failed | TaskStatus::Cancelled) => {
                done
            }
            Some(task) => return ControlAnswer::WrongStatus(task.status()),
        };
        let record = ResultMessage::from_record(self.queue.clone(), id.clone(), &done.record);
        let (Some(terms), Ok(mut record)) = (done.terms.clone(), record) else {
            return ControlAnswer::ParamsDropped;
        };
        if let Some(owner) = terms.lock.as_ref().and_then(|lock| self.locks.get(lock)) {
            return ControlAnswer::DuplicateOf(owner.clone());
        }
        self.finals.remove(done); // its place in the table is taken over below
        record.status = TaskStatus::Pending;
        record.generation = record.generation.saturating_add(1);
        (record.failures, record.crashes) = (0, 0);
        (record.error, record.finished_at, record.due_at, record.progress) = (None, None, None, None);
        if let Some(lock) = &terms.lock {
            self.locks.insert(lock.clone(), id.clone());
        }
        self.totals.replayed += 1;
        let live = Live {
            terms,
            record,
            place: Place::Nowhere,
            expires: None, // who replays it wants it to run, however late
            expiry: None,
            since: now,
            settled: None,
        };
        self.tasks.insert(id.clone(), Task::Live(Box::new(live)));
        self.make_ready(id, End::Back, now);
        ControlAnswer::Done(1)
    }
}

/// Forgets a final task, its id too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delete(pub TaskId);

impl Apply for Delete {
    type Reply = ControlAnswer;

    fn apply(self, state: &mut State, now: Timestamp) -> ControlAnswer {
        state.housekeep(now);
        match state.tasks.get(&self.0) {
            None => ControlAnswer::NotFound,
            Some(Task::Live(live)) => ControlAnswer::WrongStatus(live.record.status),
            Some(Task::Final(_) | Task::Gone(_)) => {
                state.forget(&self.0);
                ControlAnswer::Done(1)
            }
        }
    }
}
