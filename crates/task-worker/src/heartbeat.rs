//! The worker's sign of life, on a thread and a connection of its own, so that no task can keep it from beating.

use std::{sync::Arc, time::Duration};

use task_core::{
    Heartbeat, HeartbeatReply, Incarnation, Name, ProgressUpdate, Queue as _, QueueError, Registration,
    TaskQueue, WorkerCommand,
};
use tokio::{
    runtime::Handle,
    sync::mpsc::UnboundedSender,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{blocked, board::Board, outage::Outage, panic::caught_future};

/// What the heartbeat tells the loop.
#[derive(Debug)]
pub(crate) enum Told {
    /// The first answer.
    Answered,
    Closed(Incarnation),
    /// Whether this queue asks the worker to run empty.
    RunEmpty(Name, bool),
    /// Of the tasks that it holds, some were cancelled.
    Cancelled,
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
    pub(crate) outage: Outage,
    pub(crate) tell: UnboundedSender<Told>,
    pub(crate) end: CancellationToken,
}

impl Pulse {
    /// Starts it on a thread of its own, or on the runtime that is `here`; it ends with `end`.
    pub(crate) fn start(self, here: bool) -> std::io::Result<()> {
        if here {
            tokio::spawn(self.until_the_end());
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("heartbeat".into());
        let tasks = Handle::current();
        thread.spawn(move || {
            let watch = blocked::watch(tasks, self.board.clone());
            runtime.spawn(watch);
            runtime.block_on(self.until_the_end());
        })?;
        Ok(())
    }

    async fn until_the_end(self) {
        let end = self.end.clone();
        // a beat that is dropped may have been taken or not, and either is fine at the end
        tokio::select! {
            () = self.beat_all() => {}
            () = end.cancelled() => {}
        }
    }

    async fn beat_all(mut self) {
        loop {
            match self.queue.detached().await {
                Ok(own) => {
                    self.outage.answered("connect", &self.names[0]);
                    self.queue = own.unwrap_or(self.queue);
                    break;
                }
                Err(error) => self.outage.failed("connect", &self.names[0], &error),
            }
            sleep(Duration::from_millis(500)).await;
        }
        let mut loops = tokio::task::JoinSet::new();
        for name in self.names.clone() {
            loops.spawn(self.clone().beat(name));
        }
        while loops.join_next().await.is_some() {}
    }

    async fn beat(mut self, queue: Name) {
        let (mut answered, mut asked_to_run_empty) = (false, false);
        let mut heard = 0;
        loop {
            let started = tokio::time::Instant::now();
            let (worker, holds) = self.board.holds(&queue);
            let concurrency = self.board.concurrency();
            if self.registration.concurrency != concurrency {
                Arc::make_mut(&mut self.registration).concurrency = concurrency;
            }
            let mut beat = Heartbeat::new(queue.clone(), worker, self.registration.clone());
            (beat.heard, beat.holds) = (heard, Some(holds));
            let told: Vec<_> = {
                let held = self.board.held();
                let here = held.values().filter(|held| *held.ctx.queue_name() == queue);
                beat.busy = u32::try_from(here.clone().count()).unwrap_or(u32::MAX);
                here.filter_map(|held| {
                    let progress = held.ctx.take_progress()?;
                    let token = held.ctx.delivery().token;
                    Some((held.ctx.clone(), ProgressUpdate::new(held.ctx.id().clone(), token, progress)))
                })
                .collect()
            };
            beat.progress = told.iter().map(|(_, update)| update.clone()).collect();
            // the first is to be answered at once: then the worker is there
            beat.wait = if answered { self.interval } else { Duration::ZERO };
            let limit = self.interval + Duration::from_secs(3);
            let answer = match timeout(limit, caught_future(self.queue.heartbeat(beat))).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(panic)) => Err(QueueError::Corrupt(format!("the backend failed: {panic}"))),
                Err(_) => Err(QueueError::answer_lost("no answer in time")),
            };
            if matches!(answer, Ok(_) | Err(QueueError::Closed(_))) {
                self.outage.answered("heartbeat", &queue);
                if !std::mem::replace(&mut answered, true) {
                    self.tell(Told::Answered);
                }
            }
            match answer {
                Ok(reply) if reply.closed => self.tell(Told::Closed(worker)),
                Err(QueueError::Closed(_)) => self.tell(Told::Closed(worker)),
                Ok(reply) => {
                    // each beat says it again, and the loop may have heard otherwise with a claim
                    if reply.run_empty || asked_to_run_empty {
                        self.tell(Told::RunEmpty(queue.clone(), reply.run_empty));
                    }
                    asked_to_run_empty = reply.run_empty;
                    heard = reply.told;
                    self.heard(&queue, reply);
                }
                Err(error) => {
                    self.outage.failed("heartbeat", &queue, &error);
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

    fn tell(&self, told: Told) {
        // the loop is gone only when the worker ends
        let _ = self.tell.send(told);
    }

    fn heard(&self, queue: &Name, reply: HeartbeatReply) {
        let cancels = !reply.cancel.is_empty();
        for (id, token) in reply.cancel {
            if let Some(held) = self.board.held().values().find(|held| held.is(queue, &id, token)) {
                held.ctx.cancel();
            }
        }
        let commands = reply.commands.into_iter().map(Told::Command);
        commands.chain(cancels.then_some(Told::Cancelled)).for_each(|told| self.tell(told));
    }
}
