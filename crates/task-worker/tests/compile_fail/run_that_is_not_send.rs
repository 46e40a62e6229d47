use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

struct Pinger {
    count: std::sync::Mutex<u32>,
}

async fn other() {}

impl Task for Pinger {
    type Params = Ping;
    async fn run(&self, _: Ping, _ctx: TaskContext) -> TaskResult {
        let mut count = self.count.lock().unwrap();
        other().await;
        *count += 1;
        Ok(())
    }
}

fn main() {}
