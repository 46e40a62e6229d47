//! The real binaries, as people start them.

mod bad_input;
mod batch;
mod crashes;
mod examples;
mod monitoring;
mod outage;
mod packaging;
mod service;

use task_core::TaskQueue;
use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;
use task_tests::Folder;

pub(crate) const ORCHESTRATOR: &str = env!("CARGO_BIN_EXE_task-orchestrator");
pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_task-worker");

/// A folder in which `task-orchestrator` is started.
pub(crate) fn folder() -> Folder {
    Folder::new(ORCHESTRATOR)
}

/// A queue as a producer has it.
pub(crate) async fn queue(server: &RedisServer) -> TaskQueue {
    TaskQueue::new(RedisQueue::connect(&server.url()).await.unwrap())
}
