use task_core::{CancelAnswer, Command, ControlAnswer, FailureKind, TaskId, TaskStatus};

use super::{Place, Space};

impl Space {
    pub(crate) fn cancel(&mut self, id: &TaskId) -> CancelAnswer {
        self.tick();
        let Some(place) = self.find(id) else {
            let known = self.remembered.iter().find(|known| known.id == *id);
            return known.map_or(CancelAnswer::NotFound, |known| CancelAnswer::AlreadyFinal(known.status));
        };
        match self.tasks[place].record.status {
            TaskStatus::Running => {
                self.tasks[place].record.cancel_requested = true;
                CancelAnswer::Requested
            }
            status if status.is_final() => CancelAnswer::AlreadyFinal(status),
            _ => {
                self.end(place, TaskStatus::Cancelled, FailureKind::Cancelled, "cancelled before it ran");
                CancelAnswer::Cancelled
            }
        }
    }

    pub(crate) fn control(&mut self, command: &Command) -> ControlAnswer {
        self.tick();
        match command {
            Command::Pause => self.paused = true,
            Command::Resume => self.paused = false,
            Command::Limit(limit) => self.limit = *limit,
            Command::Replay(id) => return self.replay(id),
            Command::Delete(id) => return self.delete(id),
            Command::Purge => return self.purge(),
            Command::Tell(worker, told) => match self.worker(*worker) {
                Some(place) => {
                    self.commanded += 1;
                    self.workers[place].commands.push((self.commanded, *told));
                }
                None => return ControlAnswer::NotFound,
            },
            other => unreachable!("a command that this release does not know: {other:?}"),
        }
        ControlAnswer::Done(0)
    }

    fn replay(&mut self, id: &TaskId) -> ControlAnswer {
        let Some(place) = self.find(id) else { return ControlAnswer::NotFound };
        let task = &self.tasks[place];
        if !matches!(task.record.status, TaskStatus::Failed | TaskStatus::Cancelled) {
            return ControlAnswer::WrongStatus(task.record.status);
        }
        if !task.params {
            return ControlAnswer::ParamsDropped;
        }
        if let Some(owner) = task.message.lock().and_then(|lock| self.owner(&lock)) {
            return ControlAnswer::DuplicateOf(owner);
        }
        let task = &mut self.tasks[place];
        task.rests = None;
        let record = &mut task.record;
        (record.failures, record.crashes) = (0, 0);
        record.generation += 1;
        (record.error, record.result, record.finished_at, record.progress) = (None, None, None, None);
        self.totals.replayed += 1;
        self.next_step();
        self.make_pending(place, false);
        ControlAnswer::Done(1)
    }

    fn delete(&mut self, id: &TaskId) -> ControlAnswer {
        let Some(place) = self.find(id) else {
            let known = self.remembered.iter().position(|known| known.id == *id);
            known.map(|known| self.remembered.remove(known));
            return known.map_or(ControlAnswer::NotFound, |_| ControlAnswer::Done(1));
        };
        let status = self.tasks[place].record.status;
        if !status.is_final() {
            return ControlAnswer::WrongStatus(status);
        }
        self.tasks.remove(place);
        ControlAnswer::Done(1)
    }

    fn purge(&mut self) -> ControlAnswer {
        let mut purged = 0;
        for place in 0..self.tasks.len() {
            if !matches!(self.tasks[place].place, Place::Running(_) | Place::Final { .. }) {
                self.end(place, TaskStatus::Cancelled, FailureKind::Purged, "its queue was purged");
                purged += 1;
            }
        }
        ControlAnswer::Done(purged)
    }
}
