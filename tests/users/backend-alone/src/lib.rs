//! A user who depends on a backend alone: the derive reaches task-core through it.

use serde::{Deserialize, Serialize};
use task_queue_memory::{
    MemoryQueue,
    task_core::{QueueError, TaskHandle, TaskParams, TaskQueue},
};

/// Params by the derive.
#[derive(Serialize, Deserialize, TaskParams)]
#[task(output = String, timeout = "1s")]
pub struct Greet {
    /// Whom.
    pub whom: String,
}

/// Enqueues one.
///
/// # Errors
/// If the queue takes no more.
pub async fn greet(queue: &TaskQueue, whom: String) -> Result<TaskHandle<String>, QueueError> {
    queue.enqueue(Greet { whom }).await
}

/// A queue inside this process.
pub fn queue() -> TaskQueue {
    TaskQueue::new(MemoryQueue::new())
}

#[test]
fn the_derive_reaches_task_core_through_a_backend() {
    assert_eq!(Greet::NAME, "greet");
}
