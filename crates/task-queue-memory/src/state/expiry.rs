//! Expiry means: not first started after it. Every request sweeps it, also while the queue is paused.

use task_core::{Failure, FailureKind, TaskId, TaskStatus, Timestamp};

use super::{STEP, State, places::Places, task::Live};

impl Places {
    /// Enters a task that has not started among those that expire.
    pub(super) fn watch_expiry(&mut self, id: &TaskId, live: &mut Live) {
        if let Some(at) = live.expires.filter(|_| live.record.attempts == 0) {
            let key = self.key(at);
            self.expiring.insert(key, id.clone());
            live.expiry = Some(key);
        }
    }
}

impl State {
    pub(super) fn expire(&mut self, now: Timestamp) {
        for _ in 0..STEP {
            let Some((_, id)) = self.places.expiring.first_key_value().filter(|(key, _)| key.0 <= now) else {
                return;
            };
            let id = id.clone();
            self.expire_one(&id, now);
        }
    }

    pub(super) fn expire_one(&mut self, id: &TaskId, now: Timestamp) {
        let Some(live) = self.take(id) else { return };
        live.record.error = Some(Failure::new(FailureKind::Expired, "expired before its first start"));
        self.finish(id, TaskStatus::Cancelled, now);
    }
}
