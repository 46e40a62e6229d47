//! What becomes of workers and tasks when programs misbehave.

mod paused;
mod poison;
mod setup;
mod shutdown;

use serde_json::{Value, json};
use task_core::{ResultMessage, TaskHandle, TaskQueue, TaskStatus};
use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;
use task_tests::Folder;

/// A folder in which the program is started.
pub(crate) fn folder() -> Folder {
    Folder::new(env!("CARGO_BIN_EXE_misbehaving"))
}

/// A queue as a producer has it.
pub(crate) async fn queue(server: &RedisServer) -> TaskQueue {
    TaskQueue::new(RedisQueue::connect(&server.url()).await.unwrap())
}

/// Enqueues a task whose id is given.
pub(crate) async fn enqueue(
    queue: &TaskQueue,
    task: &'static str,
    id: &str,
    params: Value,
) -> TaskHandle<Value> {
    queue.enqueue_named(task, &params).id(id.parse().unwrap()).await.unwrap()
}

pub(crate) async fn echo(queue: &TaskQueue, id: &str) -> TaskHandle<Value> {
    enqueue(queue, "echo", id, json!({"value": id})).await
}

/// What is known of a task now.
pub(crate) async fn record(task: &TaskHandle<Value>) -> ResultMessage {
    task.message().await.unwrap().expect("the queue knows it")
}

/// Each claim of a task that completed is accounted for.
#[track_caller]
pub(crate) fn assert_accounted(record: &ResultMessage) {
    assert_eq!(record.status, TaskStatus::Completed, "{record:?}");
    let ends = record.failures + record.crashes + record.releases + 1;
    assert_eq!(record.attempts, ends, "{record:?}");
}
