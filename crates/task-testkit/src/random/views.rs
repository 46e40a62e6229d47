//! Answers without what backends may choose: times in whole units, words of the backend's own left out.

use std::time::Duration;

use task_core::{
    Delivery, Explanation, FailureKind, Lookup, QueueStats, Reason, ResultMessage, TaskMessage, Timestamp,
    Token,
};

use super::play::UNIT;

/// When one side's script began, by its own clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start(pub(super) Timestamp);

impl Start {
    /// The unit that a moment lies in, as a moment. Half a unit of room on either side, since a client may know the
    /// backend's clock only nearly.
    fn unit(self, at: Timestamp) -> Timestamp {
        let unit = UNIT.as_millis() as u64;
        Timestamp::from_millis(((at + UNIT / 2).as_millis().saturating_sub(self.0.as_millis())) / unit)
    }

    pub(super) fn record(self, record: &ResultMessage) -> ResultMessage {
        let mut plain = record.clone();
        plain.enqueued_at = self.unit(record.enqueued_at);
        for at in [&mut plain.due_at, &mut plain.started_at, &mut plain.finished_at] {
            *at = at.map(|at| self.unit(at));
        }
        if let Some(progress) = &mut plain.progress {
            progress.at = self.unit(progress.at);
        }
        for error in &mut plain.errors {
            error.at = self.unit(error.at);
        }
        if let Some(error) = &mut plain.error
            && matches!(
                error.kind,
                FailureKind::Expired | FailureKind::Purged | FailureKind::Crashed | FailureKind::UnknownName
            )
        {
            error.message.clear();
        }
        plain
    }

    pub(super) fn lookup(self, found: &Lookup) -> Lookup {
        match found {
            Lookup::Found(record) => self.record(record).into(),
            other => other.clone(),
        }
    }

    pub(super) fn stats(self, stats: &QueueStats) -> QueueStats {
        let mut plain = stats.clone();
        (plain.enqueued_per_minute, plain.finished_per_minute, plain.oldest_pending_secs) = (0.0, 0.0, None);
        for worker in &mut plain.workers {
            (worker.since, worker.seen) = (self.unit(worker.since), self.unit(worker.seen));
        }
        plain.workers.sort_by_key(|worker| worker.incarnation);
        plain
    }

    /// What all backends must say of where a task is. How many lie before it, and in which order the reasons come, is
    /// not compared.
    pub(super) fn explanation(
        self,
        explanation: Option<&Explanation>,
    ) -> Option<(ResultMessage, Vec<String>)> {
        let explanation = explanation?;
        let waits_for_its_time = explanation.record.due_at.is_some();
        let reason = |reason: &Reason| match reason {
            Reason::Behind { .. } => None,
            Reason::Suspect { .. } if waits_for_its_time => None,
            Reason::DueIn { millis } => Some(format!("due in {}", ceil(Duration::from_millis(*millis)))),
            Reason::Running { worker, .. } => Some(format!("runs on {worker}")),
            other => Some(format!("{other:?}")),
        };
        let mut reasons: Vec<String> = explanation.reasons.iter().filter_map(reason).collect();
        reasons.sort();
        Some((self.record(&explanation.record), reasons))
    }

    pub(super) fn delivery(
        self,
        delivery: &Delivery,
    ) -> Result<(Token, ResultMessage, bool, TaskMessage), String> {
        let message =
            delivery.message.clone().map_err(|error| format!("its message can't be read: {error}"))?;
        Ok((delivery.token, self.record(&delivery.record), delivery.suspect, self.message(message)))
    }

    pub(super) fn message(self, mut message: TaskMessage) -> TaskMessage {
        message.enqueued_at = message.enqueued_at.map(|at| self.unit(at));
        message
    }
}

/// So many units from now, as said some milliseconds later.
pub(super) fn ceil(time: Duration) -> u128 {
    time.as_millis().div_ceil(UNIT.as_millis())
}
