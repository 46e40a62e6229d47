use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

async fn ping(_: Ping, _ctx: &TaskContext) -> TaskResult {
    Ok(())
}

fn main() {
    let _ = TaskRegistry::new().register_fn(ping);
}
