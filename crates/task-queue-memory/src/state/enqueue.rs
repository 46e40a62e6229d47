use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use task_core::{Batch, Enqueued, Name, QueueError, ResultMessage, TaskId, TaskMessage, Timestamp};

use super::{
    Apply, State,
    places::{End, Place},
    task::{Live, Task, Terms},
};

/// A task to take in, encoded before the queue is locked.
#[derive(Clone, Debug)]
pub struct NewTask(Box<Live>);

impl NewTask {
    /// A task that is enqueued at `now`, from which its delay and its expiry count.
    pub fn new(mut message: TaskMessage, now: Timestamp) -> Self {
        message.enqueued_at = Some(now);
        Self(Box::new(Live {
            terms: Terms::new(&message),
            record: ResultMessage::pending(&message, now),
            place: Place::Nowhere,
            expires: message.expires.map(|expires| expires.from(now)),
            expiry: None,
            since: now,
            settled: None,
        }))
    }
}

/// As its message, in which it stands when it was enqueued: all the rest follows from that.
impl Serialize for NewTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Live { record, terms, .. } = &*self.0;
        (&record.queue, &record.id, &terms.stored).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NewTask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (queue, id, stored) = <(Name, TaskId, Bytes)>::deserialize(deserializer)?;
        let message = TaskMessage::from_record(queue, id, &stored).map_err(de::Error::custom)?;
        let now = message.enqueued_at.ok_or_else(|| de::Error::missing_field("enqueued_at"))?;
        Ok(Self::new(message, now))
    }
}

/// Takes tasks in, for each all or nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enqueue(pub Vec<NewTask>);

impl Enqueue {
    /// A batch that is enqueued at `now`.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] if it is too large, or has a message for another queue.
    pub fn new(batch: Batch, now: Timestamp) -> Result<Self, QueueError> {
        if batch.messages.len() > Batch::MAX {
            let wrong = format!("a batch of {} messages; it may have {}", batch.messages.len(), Batch::MAX);
            return Err(QueueError::invalid(wrong));
        }
        if let Some(message) = batch.messages.iter().find(|message| message.queue != batch.queue) {
            let (id, queue) = (&message.id, &message.queue);
            let wrong = format!("task {id} is for queue `{queue}`, and its batch for `{}`", batch.queue);
            return Err(QueueError::invalid(wrong));
        }
        Ok(Self(batch.messages.into_iter().map(|message| NewTask::new(message, now)).collect()))
    }
}

impl Apply for Enqueue {
    type Reply = Vec<Enqueued>;

    fn apply(self, state: &mut State, now: Timestamp) -> Vec<Enqueued> {
        state.housekeep(now);
        self.0.into_iter().map(|task| state.enqueue(task, now)).collect()
    }
}

impl State {
    fn enqueue(&mut self, NewTask(mut live): NewTask, now: Timestamp) -> Enqueued {
        let id = &live.record.id;
        if let Some(there) = self.tasks.get(id) {
            let same = there.fingerprint() == live.record.fingerprint;
            return Enqueued::Exists { status: there.status(), same };
        }
        if let Some(owner) = live.terms.lock.as_ref().and_then(|lock| self.locks.get(lock)) {
            return Enqueued::DuplicateOf(owner.clone());
        }
        if self.limits.waiting.is_some_and(|limit| self.waiting() >= limit) {
            return Enqueued::Full;
        }
        let id = id.clone();
        if let Some(lock) = &live.terms.lock {
            self.locks.insert(lock.clone(), id.clone());
        }
        self.totals.enqueued += 1;
        self.enqueued.count(now);
        let due = live.record.due_at;
        if let Some(due) = due {
            let key = self.places.key(due);
            self.places.delayed.insert(key, id.clone());
            live.place = Place::Delayed(key);
            self.places.watch_expiry(&id, &mut live);
        }
        self.tasks.insert(id.clone(), Task::Live(live));
        if due.is_none() {
            self.make_ready(&id, End::Back, now);
        }
        Enqueued::Queued
    }

    /// How many tasks are PENDING or RETRY.
    pub(super) fn waiting(&self) -> u64 {
        let places = &self.places;
        let lists = places.ready.len() + places.suspects.len() + places.delayed.len() + places.retries.len();
        (lists + self.in_unknown()) as u64
    }
}
