//! The worker's sign of life, on a thread and a connection of its own, so that no task can keep it from beating.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use task_core::{
    Heartbeat, HeartbeatReply, Incarnation, Name, ProgressUpdate, Queue as _, QueueError, Registration,
    TaskId, TaskQueue, Token, WorkerCommand, printable,
};
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{TaskContext, outage::Outage};

/// A task that runs.
pub(crate) struct Held {
    pub(crate) ctx: TaskContext,
    pub(crate) stop: CancellationToken,
    pub(crate) suspect: bool,
}

/// What loop and heartbeat both see. Locks are held for a look or a change, never across an await.
pub(crate) struct Board {
    incarnation: Mutex<Incarnation>,
    held: Mutex<HashMap<(Name, TaskId, Token), Held>>,
}

impl Board {
    pub(crate) fn new(incarnation: Incarnation) -> Self {
        Self { incarnation: Mutex::new(incarnation), held: Mutex::default() }
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        *self.incarnation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn go_on_as(&self, incarnation: Incarnation) {
        *self.incarnation.lock().unwrap_or_else(PoisonError::into_inner) = incarnation;
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, HashMap<(Name, TaskId, Token), Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the heartbeat tells the loop.
#[derive(Debug)]
pub(crate) enum Told {
    Closed(Incarnation),
    RunEmpty,
    Command(WorkerCommand),
}

/// Everything that a heartbeat needs.
#[derive(Clone)]
pub(crate) struct Pulse {
    pub(crate) queue: TaskQueue,
    pub(crate) names: Vec<Name>,
    pub(crate) registration: Arc<Registration>,
    pub(crate) board: Arc<Board>,
    pub(crate) interval: Duration,
    pub(crate) tell: UnboundedSender<Told>,
    pub(crate) end: CancellationToken,
}

impl Pulse {
    /// Starts the thread; it ends with `end`.
    pub(crate) fn start(self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("heartbeat".into()).spawn(move || {
            runtime.block_on(async {
                let end = self.end.clone();
                // a beat that is dropped may have been taken or not, and either is fine at the end
                tokio::select! {
                    () = self.beat_all() => {}
                    () = end.cancelled() => {}
                }
            });
        })?;
        Ok(())
    }

    async fn beat_all(mut self) {
        loop {
            match self.queue.detached().await {
                Ok(Some(own)) => {
                    self.queue = own;
                    break;
                }
                Ok(None) => break,
                Err(error) => tracing::warn!(%error, "the heartbeat has no connection yet"),
            }
            sleep(Duration::from_millis(500)).await;
        }
        let mut loops = tokio::task::JoinSet::new();
        for name in self.names.clone() {
            loops.spawn(self.clone().beat(name));
        }
        while loops.join_next().await.is_some() {}
    }

    async fn beat(self, queue: Name) {
        let mut outage = Outage::default();
        loop {
            let started = tokio::time::Instant::now();
            let worker = self.board.incarnation();
            let mut beat = Heartbeat::new(queue.clone(), worker, self.registration.clone());
            let told: Vec<_> = {
                let held = self.board.held();
                let here = held.iter().filter(|((name, ..), _)| *name == queue);
                beat.busy = u32::try_from(here.clone().count()).unwrap_or(u32::MAX);
                here.filter_map(|((_, id, token), held)| {
                    let progress = held.ctx.take_progress()?;
                    Some((held.ctx.clone(), ProgressUpdate::new(id.clone(), *token, progress)))
                })
                .collect()
            };
            beat.progress = told.iter().map(|(_, update)| update.clone()).collect();
            beat.wait = self.interval;
            let limit = self.interval + Duration::from_secs(3);
            let answer = timeout(limit, self.queue.heartbeat(beat)).await;
            let answer = answer.unwrap_or_else(|_| Err(QueueError::answer_lost("no answer in time")));
            match answer {
                Ok(reply) => {
                    outage.is_over();
                    self.heard(&queue, worker, reply);
                }
                Err(QueueError::Closed(_)) => self.heard_closed(worker),
                Err(error) => {
                    if outage.is_to_be_told() {
                        tracing::warn!(%queue, error = %printable(&error.to_string()), "a heartbeat failed; beating again");
                    }
                    for (ctx, update) in told {
                        ctx.keep_progress(update.progress);
                    }
                }
            }
            // whatever a backend answers at once, the next beat is no flood
            let least = self.interval.min(Duration::from_millis(200));
            sleep(least.saturating_sub(started.elapsed())).await;
        }
    }

    fn heard_closed(&self, worker: Incarnation) {
        // the loop is gone only when the worker ends
        let _ = self.tell.send(Told::Closed(worker));
    }

    fn heard(&self, queue: &Name, worker: Incarnation, reply: HeartbeatReply) {
        if reply.closed {
            return self.heard_closed(worker);
        }
        for (id, token) in reply.cancel {
            if let Some(held) = self.board.held().get(&(queue.clone(), id, token)) {
                held.ctx.cancel();
            }
        }
        let commands = reply.commands.into_iter().map(Told::Command);
        for told in commands.chain(reply.run_empty.then_some(Told::RunEmpty)) {
            let _ = self.tell.send(told);
        }
    }
}
