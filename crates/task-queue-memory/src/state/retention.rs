//! The end of a task, and of what is kept of it: results by time and by count, ids for ten minutes at least.

use serde::{Deserialize, Serialize};
use task_core::{FailureKind, ResultMessage, TaskId, TaskStatus, Timestamp, Totals};

use super::{
    STEP, State,
    ordered::Line,
    places::{Schedule, TimeKey},
    task::{Final, Gone, Live, Task},
};

/// Results that are kept, in several orders.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Finals {
    completed: Line<u64>,
    failed: Line<u64>,
    skipped: Line<u64>,
    cancelled: Line<u64>,
    /// Those whose params are kept for a replay.
    replayable: Line<u64>,
    /// When a result is dropped, or a remembered id forgotten.
    ends: Schedule,
    ended: u64,
}

impl Finals {
    /// Tasks of a final status in the order in which they ended; of a live one, none.
    pub(super) fn of(&self, status: TaskStatus) -> Option<&Line<u64>> {
        match status {
            TaskStatus::Completed => Some(&self.completed),
            TaskStatus::Failed => Some(&self.failed),
            TaskStatus::Skipped => Some(&self.skipped),
            TaskStatus::Cancelled => Some(&self.cancelled),
            TaskStatus::Pending | TaskStatus::Running | TaskStatus::Retry => None,
        }
    }

    fn of_mut(&mut self, status: TaskStatus) -> Option<&mut Line<u64>> {
        match status {
            TaskStatus::Completed => Some(&mut self.completed),
            TaskStatus::Failed => Some(&mut self.failed),
            TaskStatus::Skipped => Some(&mut self.skipped),
            TaskStatus::Cancelled => Some(&mut self.cancelled),
            TaskStatus::Pending | TaskStatus::Running | TaskStatus::Retry => None,
        }
    }

    pub(super) fn len(&self, status: TaskStatus) -> u64 {
        self.of(status).map_or(0, Line::len) as u64
    }

    /// When the next result is dropped, or the next id forgotten.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.ends.first_key_value().map(|(key, _)| key.0)
    }

    #[cfg(test)]
    pub(super) fn ends_len(&self) -> usize {
        self.ends.len()
    }

    /// Enters one that has just ended; answers its place in the order of the ends.
    fn add(&mut self, id: &TaskId, status: TaskStatus, may_replay: bool, ends: TimeKey) -> u64 {
        self.ended += 1;
        let order = self.ended;
        if let Some(list) = self.of_mut(status) {
            list.insert(order, id.clone());
        }
        if may_replay {
            self.replayable.insert(order, id.clone());
        }
        self.ends.insert(ends, id.clone());
        order
    }

    /// Takes a result out of every order.
    pub(super) fn remove(&mut self, done: &Final) {
        if let Some(list) = self.of_mut(done.status) {
            list.remove(done.order);
        }
        self.replayable.remove(done.order);
        self.ends.remove(&done.ends);
    }
}

impl State {
    /// Ends a live task that lies nowhere any more in this status; its error or result is in its record.
    pub(super) fn finish(&mut self, id: &TaskId, status: TaskStatus, now: Timestamp) {
        debug_assert!(status.is_final(), "a task ends in a final status, not in {status}");
        let Self { tasks, places, finals, locks, totals, finished, effects, .. } = self;
        let Some(task) = tasks.get_mut(id) else { return };
        let Task::Live(live) = task else { return };
        if let Some(lock) = &live.terms.lock {
            locks.remove(lock);
        }
        count_end(totals, live, status);
        finished.count(now);
        let record = &mut live.record;
        record.status = status;
        record.finished_at = Some(now);
        record.cancel_requested = false;
        record.due_at = None;
        let kept = ResultMessage::retention(status, live.terms.retention);
        let ends = places.key(now + kept);
        let may_replay = matches!(status, TaskStatus::Failed | TaskStatus::Cancelled);
        let order = finals.add(id, status, may_replay, ends);
        let done = Final {
            record: record.to_record().into(),
            task: record.task.clone(),
            status,
            fingerprint: record.fingerprint,
            terms: may_replay.then(|| live.terms.clone()),
            settled: live.settled,
            order,
            finished: now,
            ends,
        };
        *task = Task::Final(Box::new(done));
        effects.ended.push(id.clone());
        self.keep_caps();
    }

    /// Each end adds one, so two at a time bring what is over a lowered cap down again.
    fn keep_caps(&mut self) {
        for _ in 0..2 {
            if self.finals.completed.len() <= self.limits.completed {
                break;
            }
            let Some(id) = self.finals.completed.pop_first() else { break };
            self.totals.dropped_results += 1;
            self.drop_result(&id);
        }
        for _ in 0..2 {
            if self.finals.replayable.len() <= self.limits.replayable {
                break;
            }
            let Some(id) = self.finals.replayable.pop_first() else { break };
            if let Some(Task::Final(done)) = self.tasks.get_mut(&id) {
                done.terms = None;
            }
        }
    }

    /// Drops a result; the id is remembered for the rest of its ten minutes.
    fn drop_result(&mut self, id: &TaskId) {
        let Some(Task::Final(done)) = self.tasks.get(id) else { return };
        self.finals.remove(done);
        let ends = self.places.key(done.finished + ResultMessage::ID_REMEMBERED);
        let gone = Gone { status: done.status, fingerprint: done.fingerprint, settled: done.settled, ends };
        self.finals.ends.insert(ends, id.clone());
        self.tasks.insert(id.clone(), Task::Gone(Box::new(gone)));
    }

    /// Forgets a final task, its id too; answers whether there was one.
    pub(super) fn forget(&mut self, id: &TaskId) -> bool {
        match self.tasks.get(id) {
            Some(Task::Final(done)) => self.finals.remove(done),
            Some(Task::Gone(gone)) => drop(self.finals.ends.remove(&gone.ends)),
            Some(Task::Live(_)) | None => return false,
        }
        self.tasks.remove(id);
        self.effects.ended.push(id.clone());
        true
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        for _ in 0..STEP {
            let Some((_, id)) = self.finals.ends.first_key_value().filter(|(key, _)| key.0 <= now) else {
                return;
            };
            let id = id.clone();
            match self.tasks.get(&id) {
                Some(Task::Final(done)) if done.finished + ResultMessage::ID_REMEMBERED > now => {
                    self.drop_result(&id);
                }
                _ => drop(self.forget(&id)),
            }
        }
    }
}

fn count_end(totals: &mut Totals, live: &Live, status: TaskStatus) {
    let expired = live.record.error.as_ref().is_some_and(|error| error.kind == FailureKind::Expired);
    let total = match status {
        TaskStatus::Completed => &mut totals.completed,
        TaskStatus::Failed => &mut totals.failed,
        TaskStatus::Skipped => &mut totals.skipped,
        _ if expired && live.record.attempts == 0 => &mut totals.expired,
        _ => &mut totals.cancelled,
    };
    *total += 1;
}
