//! enqueue.lua, cancel.lua, and the replay of control.lua.

use super::{Backend, Record, Rules, Status};
use crate::{broken::Broken, id::Task, wire::Reply};

impl Backend {
    /// An id that is there is left as it is.
    pub(crate) fn enqueue(&mut self, task: Task) -> Reply {
        if self.record(task).is_none() {
            self.records[usize::from(task)] = Some(Record::new());
            self.ready(task, false);
        }
        Reply::Stored
    }

    /// A waiting task ends in this step, and its entry may stay in a long list; a running one is flagged.
    pub(crate) fn cancel(&mut self, rules: &Rules, task: Task) {
        self.tick(rules);
        let listed = self.ready.contains(&task);
        self.aside.remove(&task);
        let record = self.record_mut(task);
        match record.status {
            Status::Running => record.cancel = true,
            Status::Pending | Status::Retry => {
                record.tombstone = listed;
                record.finish(Status::Cancelled);
            }
            Status::Completed | Status::Failed | Status::Cancelled => {}
        }
    }

    /// Same id, another generation. An entry that is still there becomes current again.
    pub(crate) fn replay(&mut self, rules: &Rules, task: Task) {
        self.tick(rules);
        let record = self.record_mut(task);
        let there = record.tombstone && !rules.lack(Broken::OldEntryTaken);
        (record.status, record.tombstone, record.last) = (Status::Pending, false, None);
        (record.failures, record.crashes) = (0, 0);
        record.generation += 1;
        if there {
            self.wake = true;
        } else {
            self.ready(task, false);
        }
    }
}
