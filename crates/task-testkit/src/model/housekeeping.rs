use task_core::{FailureKind, Incarnation, Moment, Name, TaskStatus};

use super::{CLOSED_FOR, GRACE, NAME_UNKNOWN_FOR, OUTAGE, Place, Space};

impl Space {
    /// Each call begins with it: after a silence the backend was away, not its workers.
    pub(super) fn tick(&mut self) {
        if self.last_call.is_some_and(|last| self.now.since(last) > OUTAGE) {
            self.grace_until = self.now + GRACE;
        }
        self.last_call = Some(self.now);
    }

    /// What the time has brought.
    pub(crate) fn housekeeping(&mut self) {
        self.tick();
        let now = self.now;
        self.next_step();
        self.released.retain(|(_, until)| *until > now);
        self.ended.retain(|(_, until)| *until > now);
        self.forget();
        self.expire();
        self.promote();
        if now >= self.grace_until {
            self.reap();
            self.give_up_unknown_names();
        }
    }

    fn forget(&mut self) {
        let now = self.now;
        self.remembered.retain(|known| known.until > now);
        for place in (0..self.tasks.len()).rev() {
            if matches!(self.tasks[place].place, Place::Final { until } if until <= now) {
                self.drop_result(place);
            }
        }
    }

    fn expire(&mut self) {
        for place in 0..self.tasks.len() {
            let task = &self.tasks[place];
            let expires = task.message.expires.map(|at: Moment| at.from(task.record.enqueued_at));
            // whoever replays one by hand wants it to run
            let is_new = task.record.attempts == 0 && task.record.generation == 0;
            let never_started = task.record.status == TaskStatus::Pending && is_new;
            if never_started && expires.is_some_and(|at| at <= self.now) {
                self.end(place, TaskStatus::Cancelled, FailureKind::Expired, "its time to start was over");
            }
        }
    }

    fn promote(&mut self) {
        for place in 0..self.tasks.len() {
            if matches!(self.tasks[place].place, Place::Scheduled(due) if due <= self.now) {
                self.make_pending(place, false);
            }
        }
    }

    fn reap(&mut self) {
        let dead: Vec<Incarnation> = self
            .workers
            .iter()
            .filter(|worker| worker.lease_end <= self.now)
            .map(|w| w.incarnation)
            .collect();
        self.ended.extend(dead.iter().map(|dead| (*dead, self.now + CLOSED_FOR)));
        let given_back = self.give_back(|incarnation| dead.contains(&incarnation));
        self.totals.recovered_lease += given_back;
    }

    fn give_up_unknown_names(&mut self) {
        let tasks = &self.tasks;
        let waits = |name: &Name| tasks.iter().any(|t| t.place == Place::Unknown && t.record.task == *name);
        self.unknown.retain(|name, _| waits(name));
        for place in 0..self.tasks.len() {
            let name = self.tasks[place].record.task.clone();
            if self.tasks[place].place == Place::Unknown
                && self.now.since(self.unknown[&name]) >= NAME_UNKNOWN_FOR
            {
                let why = format!("no worker has known `{name}` for ten minutes");
                self.end(place, TaskStatus::Failed, FailureKind::UnknownName, &why);
            }
        }
    }
}
