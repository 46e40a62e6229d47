//! A worker that ends when there is nothing left.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use task_worker::{
    core::{FailureKind, RetryPolicy, TaskStatus},
    prelude::*,
};
use tokio::sync::Notify;

use crate::{Mail, Number, in_time, memory, watched::Watched};

fn worker(queue: &TaskQueue, registry: TaskRegistry) -> TaskWorker {
    TaskWorker::new(queue.clone(), registry).backoff(RetryPolicy::fixed(Duration::ZERO))
}

#[tokio::test]
async fn a_drain_waits_for_what_is_delayed_and_tells_how_its_tasks_ended() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, ctx| async move {
        match number.n {
            0 if ctx.attempt() == 1 => Err("not yet".into()),
            1 => Err(TaskError::fatal("never")),
            2 => Err(TaskError::skip("nothing to do")),
            3 => Err(TaskError::cancelled()),
            n => Ok(n),
        }
    });
    for n in 0..4 {
        queue.enqueue(Number { n }).await.unwrap();
    }
    let late = queue.enqueue(Number { n: 9 }).delay(Duration::from_millis(400)).await.unwrap();
    let drained = in_time(worker(&queue, registry).drain()).await.unwrap();
    assert_eq!(
        (drained.completed, drained.failed, drained.skipped, drained.cancelled, drained.cut_short),
        (2, 1, 1, 1, false)
    );
    assert!(!drained.is_success());
    assert_eq!(late.status().await.unwrap(), Some(TaskStatus::Completed));
}

#[tokio::test]
async fn in_a_drain_a_task_that_nobody_knows_fails_at_once() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) });
    let mail = queue.enqueue(Mail { to: 1 }).await.unwrap();
    let drained = in_time(worker(&queue, registry).drain()).await.unwrap();
    assert_eq!((drained.failed, drained.is_success()), (1, false));
    let failure = mail.message().await.unwrap().unwrap().error.unwrap();
    assert_eq!(failure.kind, FailureKind::UnknownName);
    assert_eq!(failure.message, "no worker here knows a task `mail`; they know: number");
}

#[tokio::test]
async fn a_drain_of_nothing_is_a_success_at_once() {
    let drained = in_time(worker(&memory(), TaskRegistry::new()).drain()).await.unwrap();
    assert!(drained.is_success());
}

#[tokio::test]
async fn a_drain_that_is_stopped_says_so() {
    let (queue, stop) = (memory(), Arc::new(Notify::new()));
    let (asked, stopped) = (stop.clone(), stop);
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        asked.notify_one();
        Ok(number.n)
    });
    queue.enqueue(Number { n: 1 }).await.unwrap();
    let left = queue.enqueue(Number { n: 2 }).delay(Duration::from_secs(3600)).await.unwrap();
    let drain = worker(&queue, registry).drain_until(async move { stopped.notified().await });
    let drained = in_time(drain).await.unwrap();
    assert_eq!((drained.completed, drained.cut_short, drained.is_success()), (1, true, false));
    assert_eq!(left.status().await.unwrap(), Some(TaskStatus::Pending));
}

#[tokio::test]
async fn a_drain_that_is_refused_to_count_ends_with_the_reason() {
    // it waited without a word, for a right that nobody was going to give it
    let watched = Watched::new();
    watched.seen.stats_refused.store(true, Ordering::SeqCst);
    let queue = TaskQueue::new(watched);
    let number = queue.enqueue(Number { n: 3 }).await.unwrap();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) });
    let error = in_time(worker(&queue, registry).drain()).await.unwrap_err().to_string();
    assert!(error.contains("no right to count"), "{error}");
    assert_eq!(number.status().await.unwrap(), Some(TaskStatus::Completed), "its work is done all the same");
}
