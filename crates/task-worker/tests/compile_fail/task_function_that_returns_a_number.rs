use task_worker::prelude::*;

#[task]
async fn ping(n: u32) -> u32 {
    n
}

fn main() {}
