use task_core::{Outcome, SettleAnswer, Settlement, TaskStatus};

use super::{Place, Space};

impl Space {
    pub(crate) fn settle(&mut self, settlements: &[Settlement]) -> Vec<SettleAnswer> {
        self.tick();
        let answers = settlements.iter().map(|settlement| self.settle_one(settlement)).collect();
        self.housekeeping();
        answers
    }

    fn settle_one(&mut self, settlement: &Settlement) -> SettleAnswer {
        let Some(place) = self.find(settlement.delivery.id()) else { return SettleAnswer::Stale };
        let (token, outcome) = (settlement.delivery.token, &settlement.outcome);
        let task = &mut self.tasks[place];
        if task.place != Place::Running(token) {
            let same = task.settled.as_ref().is_some_and(|(t, o)| (t, o) == (&token, outcome));
            return if same { SettleAnswer::AlreadyDone } else { SettleAnswer::Stale };
        }
        task.record = task.record.clone().settled(outcome, self.now);
        if *outcome == Outcome::NameUnknown {
            task.record.attempts -= 1;
        }
        task.settled = Some((token, outcome.clone()));
        let totals = &mut self.totals;
        match task.record.status {
            TaskStatus::Pending if *outcome == Outcome::NameUnknown => task.place = Place::Unknown(self.now),
            TaskStatus::Pending => {
                totals.released += 1;
                self.make_pending(place, true);
                self.next_step();
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
}
