use task_core::{TaskParams, TaskQueue};

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(timeout = "30 sec")]
struct Ping {}

// A use of the type earns no second error.
async fn go(queue: &TaskQueue) {
    let _ = queue.enqueue(Ping {}).await;
}

fn main() {}
