use task_worker::prelude::*;

struct Pinger;

impl Pinger {
    #[task]
    async fn ping(&self, n: u32) -> TaskResult<u32> {
        Ok(n)
    }
}

fn main() {}
