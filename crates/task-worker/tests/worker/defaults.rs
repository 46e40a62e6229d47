//! What holds for a task: its message says first, then its kind, then the worker.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use task_worker::{core::RetryPolicy, prelude::*};
use tokio::sync::mpsc;

use crate::{Number, SOON, in_time, memory, with_worker};

#[derive(Serialize, Deserialize, TaskParams)]
#[task(output = u64, max_retries = 1, timeout = "200s")]
struct Choosy {
    n: u32,
}

/// The whole seconds that a task has for itself, or 0.
fn seconds(ctx: &TaskContext) -> u64 {
    ctx.deadline().map_or(0, |end| end.duration_since(std::time::Instant::now()).as_secs() + 1)
}

#[tokio::test]
async fn a_message_says_more_than_a_kind_and_a_kind_more_than_the_worker_of_retries() {
    let (runs, mut ran) = mpsc::unbounded_channel();
    let (choosy, plain) = (runs.clone(), runs);
    let fails = |ran: &mpsc::UnboundedSender<u32>, n| {
        ran.send(n).unwrap();
        TaskError::from("no")
    };
    let registry = TaskRegistry::new()
        .register_fn(move |params: Choosy, _| async move { Err(fails(&choosy, params.n)) })
        .register_fn(move |params: Number, _| async move { Err(fails(&plain, params.n)) });
    let queue = memory();
    queue.enqueue(Choosy { n: 0 }).max_retries(0).await.unwrap();
    queue.enqueue(Choosy { n: 1 }).await.unwrap();
    queue.enqueue(Number { n: 2 }).await.unwrap();
    let worker = TaskWorker::new(queue.clone(), registry).backoff(RetryPolicy::fixed(Duration::ZERO));
    assert_eq!(in_time(worker.max_retries(2).drain()).await.unwrap().failed, 3);
    let mut runs = [0; 3];
    while let Ok(n) = ran.try_recv() {
        runs[n as usize] += 1;
    }
    assert_eq!(runs, [1, 2, 3]);
}

#[tokio::test]
async fn without_a_word_a_failed_task_is_tried_again_three_times() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|_: Number, _| async { Err("no".into()) });
    let number = queue.enqueue(Number { n: 0 }).await.unwrap();
    let worker = TaskWorker::new(queue.clone(), registry).backoff(RetryPolicy::fixed(Duration::ZERO));
    in_time(worker.drain()).await.unwrap();
    assert_eq!(number.message().await.unwrap().unwrap().failures, 4);
}

#[tokio::test]
async fn a_message_says_more_than_a_kind_and_a_kind_more_than_the_worker_of_the_timeout() {
    let registry = || {
        TaskRegistry::new()
            .register_fn(|_: Choosy, ctx| async move { Ok(seconds(&ctx)) })
            .register_fn(|_: Number, ctx| async move { Ok(u32::try_from(seconds(&ctx))?) })
    };
    let queue = memory();
    let set = |worker: TaskWorker| worker.timeout(Duration::from_secs(300));
    let test = async {
        let said = queue.enqueue(Choosy { n: 0 }).timeout(Duration::from_secs(100)).await.unwrap();
        assert_eq!(said.result(SOON).await.unwrap(), 100);
        assert_eq!(queue.enqueue(Choosy { n: 0 }).await.unwrap().result(SOON).await.unwrap(), 200);
        assert_eq!(queue.enqueue(Number { n: 0 }).await.unwrap().result(SOON).await.unwrap(), 300);
    };
    with_worker(&queue, registry(), set, test).await;
    with_worker(&queue, registry(), |worker| worker, async {
        assert_eq!(queue.enqueue(Number { n: 0 }).await.unwrap().result(SOON).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_task_knows_what_it_is_and_what_was_sent_along() {
    let queue = memory();
    let (says, mut said) = mpsc::unbounded_channel();
    let says = Arc::new(says);
    let registry = TaskRegistry::new().register_fn(move |number: Number, ctx| async move {
        let header = ctx.headers().get("tenant").cloned();
        let _ =
            says.send((ctx.id().to_string(), ctx.name().to_string(), ctx.queue_name().to_string(), header));
        Ok(number.n)
    });
    let set = |worker: TaskWorker| worker.queues([("mail".parse().unwrap(), 1)]);
    with_worker(&queue, registry, set, async {
        let number = queue.enqueue(Number { n: 1 }).id("a-7".parse().unwrap()).queue("mail");
        number.header("tenant", "acme").await.unwrap().result(SOON).await.unwrap();
        let expected = ("a-7".to_owned(), "number".to_owned(), "mail".to_owned(), Some("acme".to_owned()));
        assert_eq!(said.recv().await, Some(expected));
    })
    .await;
}
