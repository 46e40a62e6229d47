use task_core::{TaskParams, TaskQueue};

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

struct MyBackend;

async fn go(queue: &TaskQueue) {
    let _ = Ping {}.enqueue(queue).await;
}

fn main() {
    let _ = go(&MyBackend);
}
