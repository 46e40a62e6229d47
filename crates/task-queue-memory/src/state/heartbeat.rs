use std::sync::Arc;

use task_core::{Incarnation, ProgressUpdate, Registration, TaskId, Timestamp, Token, WorkerCommand};

use super::{Apply, State, places::Place};

/// A worker's sign of life.
#[derive(Debug)]
pub(crate) struct Beat {
    pub(crate) worker: Incarnation,
    pub(crate) registration: Arc<Registration>,
    pub(crate) busy: u32,
    pub(crate) progress: Vec<ProgressUpdate>,
}

#[derive(Debug, Default)]
pub(crate) struct BeatReply {
    pub(crate) closed: bool,
    pub(crate) cancel: Vec<(TaskId, Token)>,
    pub(crate) commands: Vec<WorkerCommand>,
    pub(crate) run_empty: bool,
    /// There is something in it that the worker was not told before.
    pub(crate) news: bool,
}

impl Apply for Beat {
    type Reply = BeatReply;

    fn apply(self, state: &mut State, now: Timestamp) -> BeatReply {
        if state.sign_of_life(self.worker, &self.registration, now).is_err() {
            state.housekeep(now);
            return BeatReply { closed: true, news: true, ..BeatReply::default() };
        }
        for update in self.progress {
            state.note_progress(update, now);
        }
        state.housekeep(now);
        state.tell(self.worker, self.busy)
    }
}

impl State {
    fn note_progress(&mut self, update: ProgressUpdate, now: Timestamp) {
        let open = self.workers.contains_key(&update.token.worker);
        let Some(live) = self.live_mut(&update.id) else { return };
        if open && matches!(live.place, Place::Running(held) if held.token() == update.token) {
            let mut progress = update.progress;
            progress.at = now;
            live.record.progress = Some(progress);
        }
    }

    fn tell(&mut self, incarnation: Incarnation, busy: u32) -> BeatReply {
        let run_empty = self.asks_to_empty(incarnation);
        let Some(worker) = self.workers.get_mut(&incarnation) else { return BeatReply::default() };
        worker.busy = busy;
        let mut reply = BeatReply { run_empty, ..BeatReply::default() };
        reply.news = run_empty != worker.told_to_empty;
        worker.told_to_empty = run_empty;
        reply.news |= !worker.commands.is_empty();
        reply.commands = worker.commands.drain(..).collect();
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
