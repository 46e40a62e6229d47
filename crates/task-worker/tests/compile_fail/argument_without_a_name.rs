use task_worker::prelude::*;

#[task]
async fn ping((a, b): (u32, u32)) -> TaskResult<u32> {
    Ok(a + b)
}

fn main() {}
