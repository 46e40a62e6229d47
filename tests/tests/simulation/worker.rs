//! A place in which one worker after another runs, as an orchestrator would start them.

use std::{future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use task_core::{
    Incarnation, Queue as _, RetryPolicy, TaskError, TaskHandle, TaskOptions, TaskQueue, TaskResult,
};
use task_testkit::{Hostile, Mishap};
use task_worker::{TaskContext, TaskRegistry, TaskWorker};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use crate::{
    ledger::{Ledger, queue},
    plan::{Act, End, WorkerPlan},
    world::{Run, World},
};

/// What is done to the worker in a place.
#[derive(Debug)]
pub(crate) enum Order {
    Crash {
        released: Option<Duration>,
    },
    /// The start of this number ends by a task that it runs.
    Killed(u32),
    Stop,
    Cut(Duration),
    /// It is told to stop, and no other is started.
    Finish,
}

pub(crate) struct Place {
    pub(crate) world: Arc<World>,
    pub(crate) number: usize,
    pub(crate) plan: WorkerPlan,
    pub(crate) network: Hostile<Ledger>,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    pub(crate) to_itself: mpsc::UnboundedSender<Order>,
}

/// How long a worker may take to stop beyond its grace: what it waits for its last answers, and a call that hangs.
const TO_STOP: Duration = Duration::from_secs(60);

impl Place {
    /// Until it is told to finish.
    pub(crate) async fn run(mut self) -> Result<(), String> {
        for start in 0.. {
            if self.run_one(start).await? {
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// One start of the worker; answers whether it was the last.
    async fn run_one(&mut self, start: u32) -> Result<bool, String> {
        let incarnation = Incarnation::new();
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = TaskWorker::new(TaskQueue::new(self.network.clone()), self.registry(start))
            .heartbeat_here(true)
            .incarnation(incarnation)
            .label(format!("worker_{}", self.number))
            .concurrency(self.plan.concurrency)
            .queues(self.plan.weights.iter().enumerate().map(|(number, weight)| (queue(number), *weight)))
            .grace(self.plan.grace)
            .backoff(RetryPolicy::fixed(Duration::from_secs(2)));
        let mut running = tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        let last = loop {
            match self.orders.recv().await {
                None | Some(Order::Finish) => break true,
                Some(Order::Stop) => break false,
                Some(Order::Cut(lasts)) => {
                    self.network.cut();
                    let network = self.network.clone();
                    tokio::spawn(async move {
                        sleep(lasts).await;
                        network.mend();
                    });
                }
                Some(Order::Killed(killed)) if killed != start => {}
                Some(Order::Killed(_)) => {
                    return self.crash(running, incarnation, Some(Duration::ZERO)).await;
                }
                Some(Order::Crash { released }) => return self.crash(running, incarnation, released).await,
            }
        };
        drop(stop);
        match timeout(self.plan.grace + TO_STOP, &mut running).await {
            Ok(Ok(Ok(()))) => Ok(last),
            Ok(Ok(Err(error))) => Err(format!("worker {} can't start: {error}", self.number)),
            Ok(Err(error)) => Err(format!("worker {} panicked: {error}", self.number)),
            Err(_) => Err(format!("worker {} was told to stop and did not", self.number)),
        }
    }

    async fn crash<T>(
        &self,
        running: tokio::task::JoinHandle<T>,
        worker: Incarnation,
        released: Option<Duration>,
    ) -> Result<bool, String> {
        running.abort();
        let _ = running.await; // it has ended by being aborted
        let (ledger, queues) = (self.world.ledger.clone(), self.plan.weights.len());
        if let Some(after) = released {
            tokio::spawn(async move {
                sleep(after).await;
                for number in 0..queues {
                    let _ = ledger.release(&queue(number), worker).await; // the memory queue takes it
                }
            });
        }
        Ok(false)
    }

    fn registry(&self, start: u32) -> TaskRegistry {
        let who = (self.number, start);
        self.plan.names.iter().fold(TaskRegistry::new(), |registry, name| {
            let (world, kill) = (self.world.clone(), self.to_itself.clone());
            let handler = move |_: Bytes, ctx: TaskContext| -> futures_util::future::BoxFuture<'static, _> {
                let (world, kill) = (world.clone(), kill.clone());
                Box::pin(async move { attempt(&world, &ctx, who, kill).await })
            };
            registry.register_named(name.parse().expect("a name"), TaskOptions::default(), handler)
        })
    }
}

/// An attempt does what the plan says of it.
async fn attempt(
    world: &World,
    ctx: &TaskContext,
    who: (usize, u32),
    kill: mpsc::UnboundedSender<Order>,
) -> TaskResult<Bytes> {
    let _run = Run::begins(world, ctx, who);
    let Act { lasts, end } = world.act_of(ctx);
    sleep(lasts).await;
    let value = || Bytes::from(task_core::encode(&ctx.attempt()).expect("a number is encoded"));
    match end {
        End::Value => Ok(value()),
        End::FollowUp => {
            let child: TaskHandle<u32> = ctx.enqueue_named("work", &()).await?;
            world.follows(ctx, child.id());
            Ok(value())
        }
        End::Error => Err("no luck".into()),
        End::RetryAfter(delay) => Err(TaskError::retry_after(delay, "later")),
        End::Fatal => Err(TaskError::fatal("never")),
        End::Skip => Err(TaskError::skip("nothing to do")),
        End::Cancelled => Err(TaskError::cancelled()),
        // as a panic, without its words on stderr
        End::Panic => std::panic::resume_unwind(Box::new("a task that panics")),
        End::Hang => pending().await,
        End::Kill => {
            let _ = kill.send(Order::Killed(who.1)); // at the end nobody listens any more, and it ends anyway
            pending().await
        }
    }
}

/// A network in which one call in so many goes wrong.
pub(crate) fn network(ledger: &Ledger, seed: u64, mishaps: Option<u32>) -> Hostile<Ledger> {
    let calm = Hostile::new(ledger.clone());
    match mishaps {
        Some(one_in) => calm.by_chance(seed, one_in, &Mishap::ALL),
        None => calm,
    }
}
