use std::sync::Arc;

use serde::{Deserialize, Serialize};
use task_core::{
    HeartbeatReply, Holds, Incarnation, ProgressUpdate, Registration, TaskId, Timestamp, Token, WorkerCommand,
};

use super::{Apply, State, places::Place};

/// A worker's sign of life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beat {
    /// Who lives.
    pub worker: Incarnation,
    /// What it says of itself.
    pub registration: Arc<Registration>,
    /// As [`Heartbeat::heard`](task_core::Heartbeat::heard).
    pub heard: u64,
    /// As [`Heartbeat::holds`](task_core::Heartbeat::holds).
    pub holds: Option<Holds>,
    /// How many tasks it runs.
    pub busy: u32,
    /// How far they are.
    pub progress: Vec<ProgressUpdate>,
}

/// The answer to a [`Beat`].
#[derive(Debug, Default)]
pub struct BeatReply {
    /// As [`HeartbeatReply::closed`].
    pub closed: bool,
    /// As [`HeartbeatReply::cancel`].
    pub cancel: Vec<(TaskId, Token)>,
    /// As [`HeartbeatReply::commands`].
    pub commands: Vec<WorkerCommand>,
    /// As [`HeartbeatReply::told`].
    pub told: u64,
    /// As [`HeartbeatReply::run_empty`].
    pub run_empty: bool,
    /// There is something in it that the worker was not told before, so that a beat which may wait does not.
    pub news: bool,
}

impl From<BeatReply> for HeartbeatReply {
    fn from(told: BeatReply) -> Self {
        let mut reply = Self::default();
        (reply.closed, reply.run_empty) = (told.closed, told.run_empty);
        (reply.cancel, reply.commands, reply.told) = (told.cancel, told.commands, told.told);
        reply
    }
}

impl Apply for Beat {
    type Reply = BeatReply;

    fn apply(self, state: &mut State, now: Timestamp) -> BeatReply {
        if state.sign_of_life(self.worker, &self.registration, now).is_err() {
            state.housekeep(now);
            return BeatReply { closed: true, news: true, ..BeatReply::default() };
        }
        if let Some(holds) = &self.holds {
            state.give_back_unheld(self.worker, holds, now);
        }
        for update in &self.progress {
            state.note_progress(update, now);
        }
        state.housekeep(now);
        state.tell(&self)
    }
}

impl State {
    fn note_progress(&mut self, update: &ProgressUpdate, now: Timestamp) {
        let open = self.workers.contains_key(&update.token.worker);
        let Some(live) = self.live_mut(&update.id) else { return };
        if open && matches!(live.place, Place::Running(held) if held.token() == update.token) {
            let mut progress = update.progress.clone();
            progress.at = now;
            live.record.progress = Some(progress);
        }
    }

    fn tell(&mut self, beat: &Beat) -> BeatReply {
        let run_empty = self.asks_to_empty(beat.worker);
        let Some(worker) = self.workers.get_mut(&beat.worker) else { return BeatReply::default() };
        worker.busy = beat.busy;
        if worker.registration.concurrency != beat.registration.concurrency {
            worker.registration = beat.registration.clone();
        }
        while worker.commands.front().is_some_and(|(number, _)| *number <= beat.heard) {
            worker.commands.pop_front();
        }
        let mut reply = BeatReply { run_empty, ..BeatReply::default() };
        reply.news = run_empty != worker.told_to_empty;
        worker.told_to_empty = run_empty;
        reply.news |= !worker.commands.is_empty();
        reply.told = worker.commands.back().map_or(0, |(number, _)| *number);
        reply.commands = worker.commands.iter().map(|(_, command)| *command).collect();
        for (id, told) in &mut worker.cancels {
            reply.news |= !std::mem::replace(told, true);
            if let Some(super::task::Task::Live(live)) = self.tasks.get(id)
                && let Place::Running(held) = live.place
            {
                reply.cancel.push((id.clone(), held.token()));
            }
        }
        reply
    }
}
