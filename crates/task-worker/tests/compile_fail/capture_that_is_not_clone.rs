use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

struct Pool;

async fn ping(_: &Pool) -> TaskResult {
    Ok(())
}

fn main() {
    let pool = Pool;
    let _ = TaskRegistry::new().register_fn(move |_: Ping, _ctx| async move { ping(&pool).await });
}
