use task_core::TaskQueue;

#[derive(serde::Serialize, serde::Deserialize)]
struct Extract {
    source: String,
}

async fn go(queue: &TaskQueue) {
    let _ = queue.enqueue(Extract { source: "a".into() }).await;
}

fn main() {}
