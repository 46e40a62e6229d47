//! The end of a worker: it is told to stop, or has drained its queues.

use std::time::Duration;

use futures_util::future::join_all;
use task_core::{Name, QueueError, printable};
use tokio::time::Instant;

use super::{Engine, LAST, call::Left};
use crate::stop::Stop;

/// How often a drain says what it waits for.
const SAY: Duration = Duration::from_secs(5);

/// A worker that ends when there is nothing left.
#[derive(Default)]
pub(super) struct Drain {
    counting: bool,
    said: Option<Instant>,
    /// When it said last that it can't tell.
    warned: Option<Instant>,
}

/// How often a drain says that it can't tell whether anything is left.
const WARN: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn obey(&mut self, stop: Stop) {
        self.suspended = stop == Stop::Paused;
        match stop {
            Stop::Run | Stop::Paused => {}
            Stop::Graceful if !self.stopping => {
                let worker = &self.registration.label;
                match self.books.held {
                    0 => tracing::debug!(%worker, "stopping"),
                    tasks => tracing::info!(%worker, tasks, "stopping: these may go on within the grace"),
                }
                self.stop(Instant::now() + self.common.settings.grace);
            }
            Stop::Now if !self.last && self.deadline.is_none_or(|end| end > Instant::now()) => {
                self.stop(Instant::now());
            }
            Stop::Graceful | Stop::Now => {}
        }
    }

    pub(super) fn stop(&mut self, deadline: Instant) {
        self.stopping = true;
        self.deadline = Some(deadline);
        self.give_back_waiting();
    }

    /// Asks, in a drain, whether there is anything left, once nothing is held and the last claims found nothing.
    pub(super) fn look_whether_drained(&mut self) {
        self.count();
        let idle = self.books.held + self.books.unsettled == 0 && self.lanes.iter().all(|lane| lane.dry > 0);
        let Some(drain) = self.drain.as_mut().filter(|drain| idle && !drain.counting) else { return };
        drain.counting = true;
        let quiet = self.lanes.iter().all(|lane| lane.dry > 1 && !lane.due_later);
        let queues: Vec<Name> = self.lanes.iter().map(|lane| lane.name.clone()).collect();
        self.calls.spawn(self.common.caller.clone().count(queues, quiet));
    }

    pub(super) fn counted(&mut self, left: Left) {
        let Some(drain) = &mut self.drain else { return };
        drain.counting = false;
        match left {
            Left::Nothing if !self.stopping => {
                self.drained.cut_short = false;
                self.stop(Instant::now() + self.common.settings.grace);
            }
            Left::Tasks(tasks) if drain.said.is_none_or(|said| said.elapsed() >= SAY) => {
                drain.said = Some(Instant::now());
                tracing::info!(
                    tasks,
                    "the drain waits for tasks that are delayed, paused, or with other workers"
                );
            }
            // to ask again would change nothing; a worker that stops already keeps its deadline
            Left::Untold(error @ (QueueError::Refused(_) | QueueError::Invalid(_))) if !self.stopping => {
                self.refused = Some(error);
                self.stop(Instant::now() + self.common.settings.grace);
            }
            Left::Untold(error) if drain.warned.is_none_or(|warned| warned.elapsed() >= WARN) => {
                drain.warned = Some(Instant::now());
                let error = error.to_string();
                tracing::warn!(error = %printable(&error), "the drain can't tell whether anything is left; it asks again");
            }
            Left::Nothing | Left::Tasks(_) | Left::Unknown | Left::Untold(_) => {}
        }
    }

    /// Releases its incarnation where it holds nothing any more. What could not be stopped is released by its end.
    pub(super) async fn leave(&mut self) {
        self.calls.abort_all();
        if self.books.held > 0 || self.books.unsettled > 0 {
            let (held, unsettled) = (self.books.held, self.books.unsettled);
            tracing::warn!(held, unsettled, "stopped with work left; its lease will end");
            return;
        }
        let worker = self.board.incarnation();
        let release = self.lanes.iter().map(|lane| self.common.caller.release(&lane.name, worker, LAST));
        join_all(release).await;
    }
}
