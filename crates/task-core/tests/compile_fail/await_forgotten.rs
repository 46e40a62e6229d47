#![deny(unused_must_use)]
use task_core::{TaskParams, TaskQueue};

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

async fn go(queue: &TaskQueue) {
    queue.enqueue(Ping {}).priority(3);
}

fn main() {}
