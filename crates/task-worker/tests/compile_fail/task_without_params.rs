use task_worker::prelude::*;

struct Pinger;

impl Task for Pinger {
    async fn run(&self, _: (), _ctx: TaskContext) -> TaskResult {
        Ok(())
    }
}

fn main() {}
