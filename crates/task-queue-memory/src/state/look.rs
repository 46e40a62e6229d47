use bytes::Bytes;
use task_core::{Lookup, Name, QueueError, ResultMessage, TaskId, TaskMessage, Timestamp};

use super::{Apply, State, task::Task};

/// What is known of an id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a>(pub(crate) &'a TaskId);

/// A task's record as the queue has it; a final one is [`read`](Self::read) after the queue is unlocked.
#[derive(Debug)]
pub enum Stored {
    /// Of a task that is not final.
    Live(Box<ResultMessage>),
    /// Of a final one: [`ResultMessage::to_record`].
    Final(Bytes),
    /// Its retention is over, its id is still remembered.
    Expired,
    /// There is no such task, or it is long forgotten.
    Missing,
}

impl Stored {
    /// The same, read.
    ///
    /// # Errors
    /// [`QueueError::Corrupt`] if a final record can't be read.
    pub fn read(self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        Ok(match self {
            Self::Live(record) => Lookup::Found(record),
            Self::Final(record) => {
                let record = ResultMessage::from_record(queue.clone(), id.clone(), &record);
                record.map_err(|error| QueueError::Corrupt(format!("the result of {id}: {error}")))?.into()
            }
            Self::Expired => Lookup::Expired,
            Self::Missing => Lookup::NotFound,
        })
    }
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
    type Reply = Result<Option<TaskMessage>, QueueError>;

    fn apply(self, state: &mut State, now: Timestamp) -> Self::Reply {
        state.housekeep(now);
        state.message(self.0, now)
    }
}

impl State {
    /// What is known of an id.
    pub fn look(&self, id: &TaskId, now: Timestamp) -> Stored {
        match self.tasks.get(id) {
            Some(Task::Live(live)) => Stored::Live(Box::new(live.record.clone())),
            // the sweep is bounded, so it may be behind
            Some(Task::Final(done)) if done.ends.0 > now => Stored::Final(done.record.clone()),
            Some(Task::Final(_) | Task::Gone(_)) => Stored::Expired,
            None => Stored::Missing,
        }
    }

    /// A task's message, while it is kept.
    ///
    /// # Errors
    /// [`QueueError::Corrupt`] if it can't be read.
    pub fn message(&self, id: &TaskId, now: Timestamp) -> Result<Option<TaskMessage>, QueueError> {
        let stored = match self.tasks.get(id) {
            Some(Task::Live(live)) => Some(&live.terms.stored),
            Some(Task::Final(done)) if done.ends.0 > now => done.terms.as_ref().map(|terms| &terms.stored),
            Some(Task::Final(_) | Task::Gone(_)) | None => None,
        };
        let message = stored.map(|stored| TaskMessage::from_record(self.queue.clone(), id.clone(), stored));
        message.transpose().map_err(|error| QueueError::Corrupt(format!("task {id}: {error}")))
    }
}
