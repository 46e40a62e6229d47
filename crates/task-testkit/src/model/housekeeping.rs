use task_core::{FailureKind, Incarnation, Moment, ResultMessage, TaskStatus, Timestamp};

use super::{GRACE, NAME_UNKNOWN_FOR, OUTAGE, Place, Remembered, Space};

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
        self.released.retain(|(_, until)| *until > now);
        self.forget();
        self.expire();
        self.promote();
        if now >= self.grace_until {
            self.reap();
        }
        self.give_up_unknown_names();
    }

    fn forget(&mut self) {
        let now = self.now;
        self.remembered.retain(|known| known.until > now);
        for place in (0..self.tasks.len()).rev() {
            if matches!(self.tasks[place].place, Place::Final { until } if until <= now) {
                let record = self.tasks.remove(place).record;
                let until = record.finished_at.unwrap_or(now) + ResultMessage::ID_REMEMBERED;
                if until > now {
                    let (status, fingerprint) = (record.status, record.fingerprint);
                    self.remembered.push(Remembered { id: record.id, until, status, fingerprint });
                }
            }
        }
    }

    fn expire(&mut self) {
        for place in 0..self.tasks.len() {
            let task = &self.tasks[place];
            let expires = task.message.expires.map(|at: Moment| at.from(task.record.enqueued_at));
            let never_started = task.record.status == TaskStatus::Pending && task.record.started_at.is_none();
            if never_started && expires.is_some_and(|at| at <= self.now) {
                self.end(place, TaskStatus::Cancelled, FailureKind::Expired, "its time to start was over");
            }
        }
    }

    fn promote(&mut self) {
        let due = |place: &usize| match self.tasks[*place].place {
            Place::Scheduled(due) if due <= self.now => Some(due),
            _ => None,
        };
        let mut places: Vec<(Timestamp, i64, usize)> = (0..self.tasks.len())
            .filter_map(|place| Some((due(&place)?, self.tasks[place].rank, place)))
            .collect();
        places.sort();
        for (_, _, place) in places {
            self.make_pending(place, false);
        }
    }

    fn reap(&mut self) {
        let dead: Vec<Incarnation> = self
            .workers
            .iter()
            .filter(|worker| worker.lease_end <= self.now)
            .map(|w| w.incarnation)
            .collect();
        self.ended.extend(&dead);
        let given_back = self.give_back(|incarnation| dead.contains(&incarnation));
        self.totals.recovered_lease += given_back;
    }

    fn give_up_unknown_names(&mut self) {
        for place in 0..self.tasks.len() {
            let Place::Unknown(since) = self.tasks[place].place else { continue };
            let name = &self.tasks[place].record.task;
            if self.workers.iter().any(|worker| worker.registration.names.contains(name)) {
                self.tasks[place].place = Place::Unknown(self.now);
            } else if self.now.since(since) >= NAME_UNKNOWN_FOR {
                let why = format!("no worker has known `{name}` for ten minutes");
                self.end(place, TaskStatus::Failed, FailureKind::UnknownName, &why);
            }
        }
    }
}
