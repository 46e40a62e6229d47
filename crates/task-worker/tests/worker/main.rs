//! A worker on the memory queue: what becomes of tasks that end in every way, of a bad network, and of its own end.

mod closed;
mod concurrency;
mod defaults;
mod drain;
mod ends;
mod heartbeat;
mod hooks;
mod log;
mod lost_replies;
mod paused_clock;
mod queues;
mod settling;
mod stopping;
mod suspects;
mod unreadable;
mod watched;

use std::{future::Future, time::Duration};

use serde::{Deserialize, Serialize};
use task_queue_memory::MemoryQueue;
use task_worker::{core::RetryPolicy, prelude::*};
use tokio::sync::oneshot;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize, TaskParams)]
#[task(output = u32)]
struct Number {
    n: u32,
}

#[derive(Serialize, Deserialize, TaskParams)]
struct Mail {
    to: u32,
}

/// Runs a test beside a worker, which is then told to stop.
async fn with_worker<T>(
    queue: &TaskQueue,
    registry: TaskRegistry,
    set: impl FnOnce(TaskWorker) -> TaskWorker,
    test: impl Future<Output = T>,
) -> T {
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = set(TaskWorker::new(queue.clone(), registry).backoff(RetryPolicy::fixed(Duration::ZERO)));
    let running = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    let ended = in_time(test).await;
    drop(stop);
    in_time(running).await.unwrap().unwrap();
    ended
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("it ends in time")
}

/// Asks again until there is an answer.
async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    in_time(async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

fn memory() -> TaskQueue {
    TaskQueue::new(MemoryQueue::new())
}
