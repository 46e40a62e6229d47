use std::mem::discriminant;

use task_core::{Outcome, SettleAnswer, Settlement, TaskStatus};

use super::{Place, Space, Task};

impl Space {
    pub(crate) fn settle(&mut self, settlements: &[Settlement]) -> Vec<SettleAnswer> {
        self.tick();
        let answers: Vec<_> = settlements.iter().map(|settlement| self.settle_one(settlement)).collect();
        self.keep_order_of_released(settlements, &answers);
        self.housekeeping();
        answers
    }

    fn settle_one(&mut self, settlement: &Settlement) -> SettleAnswer {
        let (token, outcome) = (settlement.delivery.token, &settlement.outcome);
        let Some(place) = self.find(settlement.delivery.id()) else { return SettleAnswer::Stale };
        let task = &mut self.tasks[place];
        if task.place != Place::Running(token) {
            let known = task.rests == Some(token) && self.was_settled_so(settlement);
            return if known { SettleAnswer::AlreadyDone } else { SettleAnswer::Stale };
        }
        task.record = task.record.clone().settled(outcome, self.now);
        task.rests = Some(token);
        self.settled.push((task.record.id.clone(), token, discriminant(outcome)));
        let totals = &mut self.totals;
        match task.record.status {
            TaskStatus::Pending if *outcome == Outcome::NameUnknown => {
                let name = task.record.task.clone();
                let waits = |task: &Task| task.place == Place::Unknown && task.record.task == name;
                if !self.tasks.iter().any(waits) {
                    self.unknown.insert(name, self.now);
                }
                self.tasks[place].place = Place::Unknown;
            }
            TaskStatus::Pending => {
                totals.released += 1;
                self.next_step();
                self.make_pending(place, true);
            }
            TaskStatus::Retry => {
                totals.retried += 1;
                task.place = Place::Scheduled(task.record.due_at.unwrap_or(self.now));
            }
            status => {
                match status {
                    TaskStatus::Completed => totals.completed += 1,
                    TaskStatus::Failed => totals.failed += 1,
                    TaskStatus::Skipped => totals.skipped += 1,
                    _ => totals.cancelled += 1,
                }
                self.keep(place);
            }
        }
        SettleAnswer::Done
    }

    /// What was given back together lies at the front in the order in which it was said.
    fn keep_order_of_released(&mut self, settlements: &[Settlement], answers: &[SettleAnswer]) {
        for (settlement, answer) in settlements.iter().zip(answers).rev() {
            let given_back = settlement.outcome == Outcome::Released && *answer == SettleAnswer::Done;
            let Some(place) = self.find(settlement.delivery.id()).filter(|_| given_back) else { continue };
            if self.tasks[place].place == Place::Ready {
                self.next_step();
                self.tasks[place].rank = self.ranks.first;
            }
        }
    }

    /// Whether a settlement of this token and this kind of outcome was carried out, however long ago.
    pub(crate) fn was_settled_so(&self, Settlement { delivery, outcome, .. }: &Settlement) -> bool {
        let kind = discriminant(outcome);
        self.settled.iter().any(|(id, token, k)| (id, token, k) == (delivery.id(), &delivery.token, &kind))
    }
}
