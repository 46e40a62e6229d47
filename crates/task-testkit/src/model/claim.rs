use std::cmp::Reverse;

use task_core::{Claim, Claimed, Delivery, Name, QueueError, TaskId, TaskStatus, Token};

use super::{Place, Space, Task};

impl Space {
    /// Carries a claim out. Where the order is open (among suspects, among tasks of unknown names, among those that
    /// became ready in one step), that of `hint` is followed: what a real backend answered.
    pub(crate) fn claim(&mut self, claim: &Claim, hint: &[TaskId]) -> Result<Claimed, QueueError> {
        self.tick();
        if self.register(claim.worker, &claim.registration).is_none() {
            return Err(QueueError::Closed(claim.worker));
        }
        self.housekeeping();
        let place = self.worker(claim.worker).expect("it was registered just now");
        let worker = &mut self.workers[place];
        worker.acked = worker.acked.max(claim.acked);
        worker.claims.retain(|number, _| *number > worker.acked);
        let token = claim.token();
        let places = if let Some(ids) = worker.claims.get(&claim.number).cloned() {
            let held = ids.iter().filter_map(|id| self.find(id));
            held.filter(|place| self.tasks[*place].place == Place::Running(token)).collect()
        } else if claim.number <= worker.acked || claim.number + Claim::IN_FLIGHT <= worker.newest {
            Vec::new()
        } else {
            worker.newest = worker.newest.max(claim.number);
            self.give(claim, hint)
        };
        let delivery = |place: &usize| {
            let task = &self.tasks[*place];
            Delivery::new(token, &task.stored, task.record.clone())
        };
        let mut claimed = Claimed::new(places.iter().map(delivery));
        claimed.paused = self.paused;
        let is_due = |task: &Task| task.place == Place::Ready || task.is_known_to(&claim.registration.names);
        claimed.more = !self.paused && self.tasks.iter().any(is_due);
        let due = |task: &Task| match task.place {
            Place::Scheduled(due) => Some(due.since(self.now)),
            _ => None,
        };
        claimed.next_wake = self.tasks.iter().filter_map(due).min();
        claimed.run_empty = self.asks_to_run_empty(claim.worker);
        Ok(claimed)
    }

    /// Gives tasks to a claim that is new, and remembers it if there are any.
    fn give(&mut self, claim: &Claim, hint: &[TaskId]) -> Vec<usize> {
        let places = if self.paused { Vec::new() } else { self.choose(claim, hint) };
        for place in &places {
            self.start(*place, claim.token(), &claim.registration.label);
        }
        if !places.is_empty() {
            let ids = places.iter().map(|place| self.tasks[*place].record.id.clone()).collect();
            let worker = self.worker(claim.worker).expect("it was registered just now");
            let claims = &mut self.workers[worker].claims;
            claims.insert(claim.number, ids);
            while claims.len() > Claim::IN_FLIGHT as usize {
                claims.pop_first();
            }
        }
        places
    }

    /// Which tasks a claim gets, in their order.
    fn choose(&self, claim: &Claim, hint: &[TaskId]) -> Vec<usize> {
        let held: Vec<&Task> = self.held_by(claim.worker).map(|place| &self.tasks[place]).collect();
        if claim.max_tasks == 0 || held.iter().any(|task| task.is_suspect()) {
            return Vec::new();
        }
        let names = &claim.registration.names;
        let hinted = |place: &usize| {
            let id = &self.tasks[*place].record.id;
            hint.iter().position(|hinted| hinted == id).unwrap_or(usize::MAX)
        };
        let of = |wanted: &dyn Fn(&Task) -> bool| -> Vec<usize> {
            (0..self.tasks.len()).filter(|place| wanted(&self.tasks[*place])).collect()
        };
        if claim.idle && held.is_empty() {
            let suspects = of(&|task| task.waits_alone(names));
            let first = suspects.into_iter().min_by_key(|place| (hinted(place), self.tasks[*place].rank));
            if let Some(suspect) = first {
                return vec![suspect];
            }
        }
        let mut unknown = of(&|task| task.is_known_to(names));
        unknown.sort_by_key(|place| (hinted(place), self.tasks[*place].rank));
        let mut ready = of(&|task| task.place == Place::Ready);
        ready.sort_by_key(|place| {
            let task = &self.tasks[*place];
            (Reverse(task.message.priority), task.rank, hinted(place))
        });
        let mut bytes = 0;
        let fits = |place: &usize| {
            bytes += self.tasks[*place].stored.len();
            bytes <= claim.max_bytes || bytes == self.tasks[*place].stored.len()
        };
        unknown.into_iter().chain(ready).take(claim.max_tasks).take_while(fits).collect()
    }

    fn start(&mut self, place: usize, token: Token, label: &str) {
        let task = &mut self.tasks[place];
        task.place = Place::Running(token);
        task.rests = None;
        task.record.status = TaskStatus::Running;
        task.record.attempts += 1;
        task.record.started_at = Some(self.now);
        task.record.worker = Some(label.into());
    }
}

impl Task {
    /// It lies aside for workers that know its name, and one of these names is it.
    fn is_known_to(&self, names: &[Name]) -> bool {
        self.place == Place::Unknown && !self.is_suspect() && names.contains(&self.record.task)
    }

    /// It is a suspect that a worker of these names may run alone.
    pub(super) fn waits_alone(&self, names: &[Name]) -> bool {
        match self.place {
            Place::Suspect => true,
            Place::Unknown => self.is_suspect() && names.contains(&self.record.task),
            _ => false,
        }
    }
}
