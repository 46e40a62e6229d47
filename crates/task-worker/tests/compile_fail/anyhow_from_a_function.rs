use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

async fn ping(_: Ping, _ctx: TaskContext) -> anyhow::Result<()> {
    Ok(())
}

fn main() {
    let _ = TaskRegistry::new().register_fn(ping);
}
