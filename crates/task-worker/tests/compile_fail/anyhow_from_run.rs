use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

struct Pinger;

impl Task for Pinger {
    type Params = Ping;
    async fn run(&self, _: Ping, _ctx: TaskContext) -> anyhow::Result<()> {
        Ok(())
    }
}

fn main() {}
