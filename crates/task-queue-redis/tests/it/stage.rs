//! What the tests do with a queue, in a word each; all of it in the queue `tasks`, with tasks called `extract`.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use task_queue_redis::{RedisQueue, task_core::*};

pub(crate) const Q: Name = Name::DEFAULT_QUEUE;
pub(crate) const EXTRACT: &str = "extract";

pub(crate) fn options() -> TaskOptions {
    TaskOptions::default()
}

pub(crate) fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

pub(crate) fn named(name: &'static str, text: &str, options: TaskOptions) -> TaskMessage {
    TaskMessage::new(id(text), name, vec![0xc0], options).unwrap()
}

pub(crate) async fn put(queue: &RedisQueue, text: &str, options: TaskOptions) -> Enqueued {
    let batch = Batch::new(Q, vec![named(EXTRACT, text, options)]);
    queue.enqueue(batch).await.unwrap().answers.remove(0)
}

/// Enqueues so many, numbered behind this prefix.
pub(crate) async fn put_many(queue: &RedisQueue, prefix: &str, n: usize, options: TaskOptions) {
    let ids: Vec<String> = (0..n).map(|i| format!("{prefix}{i:04}")).collect();
    for ids in ids.chunks(Batch::MAX) {
        let messages = ids.iter().map(|id| named(EXTRACT, id, options.clone())).collect();
        queue.enqueue(Batch::new(Q, messages)).await.unwrap();
    }
}

/// Claims up to a thousand tasks, and settles all of them so.
pub(crate) async fn work(queue: &RedisQueue, worker: Incarnation, number: u64, outcome: &Outcome) -> usize {
    let mut claim = claim(worker, number);
    claim.max_tasks = 1000;
    let got = queue.dequeue(claim).await.unwrap().tasks;
    let settlements = got.iter().map(|delivery| Settlement::new(delivery.clone(), outcome.clone())).collect();
    queue.settle(SettleRequest::new(Q, settlements)).await.unwrap();
    got.len()
}

pub(crate) fn registration(names: &[&'static str]) -> Arc<Registration> {
    let mut registration =
        Registration::new("worker_1", names.iter().map(|name| Name::from_static(name).unwrap()));
    (registration.host, registration.pid, registration.concurrency) = ("here".into(), 7, 3);
    Arc::new(registration)
}

/// A claim for one task, by a worker that knows `extract`.
pub(crate) fn claim(worker: Incarnation, number: u64) -> Claim {
    Claim::new(Q, worker, registration(&[EXTRACT]), number)
}

/// A claim of a new worker that waits for 30 s, unlike the safety look that each takes every five.
pub(crate) fn long_claim() -> Claim {
    let mut claim = claim(Incarnation::new(), 1);
    claim.wait = Duration::from_secs(30);
    claim
}

pub(crate) fn beat(worker: Incarnation) -> Heartbeat {
    Heartbeat::new(Q, worker, registration(&[EXTRACT]))
}

pub(crate) async fn settle(queue: &RedisQueue, delivery: &Delivery, outcome: Outcome) -> SettleAnswer {
    let settlement = Settlement::new(delivery.clone(), outcome);
    queue.settle(SettleRequest::new(Q, vec![settlement])).await.unwrap().answers[0]
}

pub(crate) async fn record(queue: &RedisQueue, text: &str) -> ResultMessage {
    queue.result(&Q, &id(text)).await.unwrap().into_found().unwrap()
}

pub(crate) fn completed() -> Outcome {
    Outcome::Completed { result: vec![7].into() }
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed { error: Failure::new(FailureKind::Fatal, "no") }
}

pub(crate) fn retry_in(seconds: u64) -> Outcome {
    Outcome::Retry { error: Failure::new(FailureKind::Error, "no"), delay: Duration::from_secs(seconds) }
}

/// Asks again and again until this is answered; fails after 20 s.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Less than the time after which whoever waits looks without being told to.
pub(crate) const SOON: Duration = Duration::from_secs(4);

/// The answer, which has to come before whoever waits looks again by itself.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let answer = future.await;
    assert!(began.elapsed() < SOON, "{what}: only after {:?}", began.elapsed());
    answer
}
