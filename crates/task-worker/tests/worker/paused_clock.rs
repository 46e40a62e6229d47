//! A worker in a test that pauses Tokio's clock.

use std::time::Duration;

use task_worker::{core::TaskStatus, prelude::*};
use tokio::time::sleep;

use crate::{Number, memory};

const LONG: Duration = Duration::from_secs(300);

#[tokio::test(start_paused = true)]
async fn on_a_paused_clock_a_task_longer_than_the_lease_runs_once() {
    // the heartbeat's thread went by the real time: the paused clock ran past the lease, and the task ran again
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move {
        sleep(LONG).await;
        Ok(number.n)
    });
    let number = queue.enqueue(Number { n: 7 }).await.unwrap();
    let worker = TaskWorker::new(queue, registry).heartbeat_here(true);
    let drained = worker.drain().await.unwrap();
    assert_eq!((drained.completed, drained.cut_short), (1, false));
    let record = number.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.crashes), (TaskStatus::Completed, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_dropped_beats_no_more() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, ctx| async move {
        if ctx.attempt() == 1 {
            sleep(LONG * 1000).await;
        }
        Ok(number.n)
    });
    let number = queue.enqueue(Number { n: 7 }).await.unwrap();
    let worker = || TaskWorker::new(queue.clone(), registry.clone()).heartbeat_here(true);
    tokio::time::timeout(Duration::from_secs(60), worker().run_until(std::future::pending()))
        .await
        .unwrap_err();
    worker().drain().await.unwrap();
    let record = number.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.crashes), (TaskStatus::Completed, 2, 1));
}
