use task_core::{Batch, Enqueued, ResultMessage, TaskMessage, TaskStatus};

use super::{Place, Space, Task};

impl Space {
    pub(crate) fn enqueue(&mut self, batch: &Batch) -> Vec<Enqueued> {
        self.tick();
        batch.messages.iter().map(|message| self.enqueue_one(message.clone())).collect()
    }

    fn enqueue_one(&mut self, mut message: TaskMessage) -> Enqueued {
        let fingerprint = message.fingerprint();
        if let Some(place) = self.find(&message.id) {
            let record = &self.tasks[place].record;
            return Enqueued::Exists { status: record.status, same: record.fingerprint == fingerprint };
        }
        if let Some(known) = self.remembered.iter().find(|known| known.id == message.id) {
            return Enqueued::Exists { status: known.status, same: known.fingerprint == fingerprint };
        }
        if let Some(owner) = message.lock().and_then(|lock| self.owner(&lock)) {
            return Enqueued::DuplicateOf(owner);
        }
        let waits = |task: &&Task| matches!(task.record.status, TaskStatus::Pending | TaskStatus::Retry);
        let waiting = self.tasks.iter().filter(waits).count() as u64;
        if self.limit.is_some_and(|limit| waiting >= limit) {
            return Enqueued::Full;
        }
        message.enqueued_at = Some(self.now);
        let record = ResultMessage::pending(&message, self.now);
        let place = record.due_at.map_or(Place::Ready, Place::Scheduled);
        let stored = message.to_record().into();
        self.next_step();
        self.tasks.push(Task {
            message,
            stored,
            params: true,
            ended: 0,
            record,
            place,
            rank: self.ranks.last,
            rests: None,
        });
        self.totals.enqueued += 1;
        Enqueued::Queued
    }
}
