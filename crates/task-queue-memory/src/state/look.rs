use bytes::Bytes;
use task_core::{ResultMessage, TaskId, Timestamp};

use super::{Apply, State, task::Task};

/// What is known of an id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a>(pub(crate) &'a TaskId);

/// A task's record as the queue has it; a final one is read after the queue is unlocked.
#[derive(Debug)]
pub(crate) enum Stored {
    Live(Box<ResultMessage>),
    Final(Bytes),
    Expired,
    Missing,
}

impl Apply for Look<'_> {
    type Reply = Stored;

    fn apply(self, state: &mut State, now: Timestamp) -> Stored {
        state.housekeep(now);
        state.look(self.0, now)
    }
}

/// A task's message as it is stored, while it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a>(pub(crate) &'a TaskId);

impl Apply for Message<'_> {
    type Reply = Option<Bytes>;

    fn apply(self, state: &mut State, now: Timestamp) -> Option<Bytes> {
        state.housekeep(now);
        match state.tasks.get(self.0)? {
            Task::Live(live) => Some(live.terms.stored.clone()),
            Task::Final(done) if done.ends.0 > now => Some(done.terms.as_ref()?.stored.clone()),
            Task::Final(_) | Task::Gone(_) => None,
        }
    }
}

impl State {
    pub(super) fn look(&self, id: &TaskId, now: Timestamp) -> Stored {
        match self.tasks.get(id) {
            Some(Task::Live(live)) => Stored::Live(Box::new(live.record.clone())),
            // the sweep is bounded, so it may be behind
            Some(Task::Final(done)) if done.ends.0 > now => Stored::Final(done.record.clone()),
            Some(Task::Final(_) | Task::Gone(_)) => Stored::Expired,
            None => Stored::Missing,
        }
    }
}
