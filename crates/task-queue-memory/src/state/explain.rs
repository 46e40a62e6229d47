use task_core::{Reason, TaskId, Timestamp};

use super::{
    Apply, State, Stored,
    places::{Lane, LaneKey, Place},
    task::{Live, Task},
};

/// Every reason why a task does not run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explain<'a>(pub(crate) &'a TaskId);

/// Tasks before one are counted up to here.
const COUNTED: usize = 10_000;

impl Apply for Explain<'_> {
    type Reply = (Stored, Vec<Reason>);

    fn apply(self, state: &mut State, now: Timestamp) -> Self::Reply {
        state.housekeep(now);
        state.explain(self.0, now)
    }
}

impl State {
    /// What is known of a task, and every reason why it does not run.
    pub fn explain(&self, id: &TaskId, now: Timestamp) -> (Stored, Vec<Reason>) {
        let reasons = match self.tasks.get(id) {
            Some(Task::Live(live)) => self.reasons(live, now),
            Some(Task::Final(_)) => vec![Reason::Final],
            Some(Task::Gone(_)) | None => Vec::new(),
        };
        (self.look(id, now), reasons)
    }

    fn reasons(&self, live: &Live, now: Timestamp) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Place::Running(_) = live.place {
            let millis = live.record.started_at.map_or(0, |start| now.since(start).as_millis() as u64);
            let worker = live.record.worker.as_deref().unwrap_or_default().into();
            reasons.push(Reason::Running { worker, millis });
            if live.record.cancel_requested {
                reasons.push(Reason::CancelRequested);
            }
            return reasons;
        }
        if self.paused {
            reasons.push(Reason::Paused);
        }
        let (knowing, workers) = (self.knowing(&live.record.task), self.workers.len() as u64);
        if workers == 0 {
            reasons.push(Reason::NoWorkers);
        } else if knowing < workers {
            reasons.push(Reason::NameKnownBy { knowing, workers });
        }
        let due = |at: Timestamp| Reason::DueIn { millis: at.since(now).as_millis() as u64 };
        let behind = |lane: &Lane, key: LaneKey| lane.before(key, COUNTED);
        let before = match live.place {
            Place::Delayed(key) | Place::Retry(key) => {
                reasons.push(due(key.0));
                0
            }
            Place::Ready(key) => behind(&self.places.ready, key),
            Place::Suspect(key) => behind(&self.places.suspects, key),
            Place::Unknown(key) => self.before_in_unknown(live, key, COUNTED),
            Place::Running(_) | Place::Nowhere => 0,
        };
        if live.is_suspect() {
            reasons.push(Reason::Suspect { crashes: live.record.crashes });
        }
        if before > 0 {
            reasons.push(Reason::Behind { tasks: before as u64 });
        }
        reasons
    }
}
