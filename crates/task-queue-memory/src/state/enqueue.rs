use task_core::{Enqueued, ResultMessage, TaskMessage, Timestamp};

use super::{
    Apply, State,
    places::{End, Place},
    task::{Live, Task, Terms},
};

/// A task to take in, encoded before the queue is locked.
#[derive(Debug)]
pub(crate) struct NewTask {
    terms: Terms,
    record: ResultMessage,
    expires: Option<Timestamp>,
}

impl NewTask {
    pub(crate) fn new(mut message: TaskMessage, now: Timestamp) -> Self {
        message.enqueued_at = Some(now);
        Self {
            record: ResultMessage::pending(&message, now),
            expires: message.expires.map(|expires| expires.from(now)),
            terms: Terms::new(&message),
        }
    }
}

/// Takes tasks in, for each all or nothing.
#[derive(Debug)]
pub(crate) struct Enqueue(pub(crate) Vec<NewTask>);

impl Apply for Enqueue {
    type Reply = Vec<Enqueued>;

    fn apply(self, state: &mut State, now: Timestamp) -> Vec<Enqueued> {
        state.housekeep(now);
        self.0.into_iter().map(|task| state.enqueue(task, now)).collect()
    }
}

impl State {
    fn enqueue(&mut self, task: NewTask, now: Timestamp) -> Enqueued {
        if let Some(there) = self.tasks.get(&task.record.id) {
            let same = there.fingerprint() == task.record.fingerprint;
            return Enqueued::Exists { status: there.status(), same };
        }
        if let Some(owner) = task.terms.lock.as_ref().and_then(|lock| self.locks.get(lock)) {
            return Enqueued::DuplicateOf(owner.clone());
        }
        if self.limits.waiting.is_some_and(|limit| self.waiting() >= limit) {
            return Enqueued::Full;
        }
        let id = task.record.id.clone();
        if let Some(lock) = &task.terms.lock {
            self.locks.insert(lock.clone(), id.clone());
        }
        self.totals.enqueued += 1;
        self.enqueued.count(now);
        let due = task.record.due_at;
        let mut live = Box::new(Live {
            terms: task.terms,
            record: task.record,
            place: Place::Nowhere,
            expires: task.expires,
            expiry: None,
            since: now,
            settled: None,
        });
        match due {
            Some(due) => {
                let key = self.places.key(due);
                self.places.delayed.insert(key, id.clone());
                live.place = Place::Delayed(key);
                self.watch_expiry(&id, &mut live);
                self.tasks.insert(id, Task::Live(live));
            }
            None => self.make_ready(id, live, End::Back, now),
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
