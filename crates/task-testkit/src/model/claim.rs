use std::cmp::Reverse;

use task_core::{Claim, Claimed, Delivery, QueueError, TaskId, TaskStatus, Token};

use super::{Place, Space, Task};

impl Space {
    /// Carries a claim out. Where the order is open (tasks that were given back in one step), the order of `hint`
    /// is followed: what a real backend answered.
    pub(crate) fn claim(&mut self, claim: &Claim, hint: &[TaskId]) -> Result<Claimed, QueueError> {
        self.tick();
        let Some(worker) = self.register(claim.worker, &claim.registration) else {
            return Err(QueueError::Closed(claim.worker));
        };
        self.workers[worker].claims.retain(|number, _| *number > claim.acked);
        self.housekeeping();
        let worker = self.worker(claim.worker).expect("it was registered just now");
        let claims = &self.workers[worker].claims;
        let known = claims.get(&claim.number).cloned();
        let is_old = claim.number <= claim.acked || claims.keys().any(|number| *number > claim.number);
        let places = match known {
            Some(ids) => ids.iter().filter_map(|id| self.find(id)).collect(),
            None if is_old || self.paused => Vec::new(),
            None => self.choose(claim, hint),
        };
        let token = claim.token();
        let places: Vec<usize> =
            places.into_iter().filter(|place| self.start(*place, token, &claim.registration.label)).collect();
        let delivery = |place: &usize| {
            let task = &self.tasks[*place];
            Delivery::new(token, task.stored.clone(), task.record.clone())
        };
        let mut claimed = Claimed::new(places.iter().map(delivery).collect());
        claimed.paused = self.paused;
        claimed.more = !self.paused && self.tasks.iter().any(|task| task.place == Place::Ready);
        let due = |task: &Task| match task.place {
            Place::Scheduled(due) => Some(due.since(self.now)),
            _ => None,
        };
        claimed.next_wake = self.tasks.iter().filter_map(due).min();
        claimed.run_empty = !claim.idle && self.asks_to_run_empty(claim.worker);
        if !places.is_empty() {
            let ids = places.iter().map(|place| self.tasks[*place].record.id.clone()).collect();
            let claims = &mut self.workers[worker].claims;
            claims.insert(claim.number, ids);
            while claims.len() > Claim::IN_FLIGHT as usize {
                claims.pop_first();
            }
        }
        Ok(claimed)
    }

    /// Which tasks a claim gets, in their order.
    fn choose(&self, claim: &Claim, hint: &[TaskId]) -> Vec<usize> {
        let held: Vec<&Task> = self.held_by(claim.worker).map(|place| &self.tasks[place]).collect();
        if held.iter().any(|task| task.record.crashes >= 2) {
            return Vec::new();
        }
        let hinted = |place: &usize| {
            let id = &self.tasks[*place].record.id;
            hint.iter().position(|hinted| hinted == id).unwrap_or(usize::MAX)
        };
        let of = |wanted: fn(&Place) -> bool| {
            (0..self.tasks.len()).filter(move |place| wanted(&self.tasks[*place].place))
        };
        let mut unknown: Vec<usize> = of(|place| matches!(place, Place::Unknown(_)))
            .filter(|place| claim.registration.names.contains(&self.tasks[*place].record.task))
            .collect();
        unknown.sort_by_key(|place| (hinted(place), self.tasks[*place].rank));
        let prefers_unknown = unknown.first().is_some_and(|place| hinted(place) == 0);
        if claim.idle && held.is_empty() && claim.max_tasks > 0 && !prefers_unknown {
            let first = of(|place| *place == Place::Suspect)
                .min_by_key(|place| (hinted(place), self.tasks[*place].rank));
            if let Some(suspect) = first {
                return vec![suspect];
            }
        }
        let mut ready: Vec<usize> = of(|place| *place == Place::Ready).collect();
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

    /// Gives a task out under this token, if it waits; answers whether it is held under the token now.
    fn start(&mut self, place: usize, token: Token, label: &str) -> bool {
        let task = &mut self.tasks[place];
        if !matches!(task.place, Place::Ready | Place::Suspect | Place::Unknown(_)) {
            return task.place == Place::Running(token);
        }
        task.place = Place::Running(token);
        task.settled = None;
        task.record.status = TaskStatus::Running;
        task.record.attempts += 1;
        task.record.started_at = Some(self.now);
        task.record.due_at = None;
        task.record.worker = Some(label.to_owned());
        true
    }
}
