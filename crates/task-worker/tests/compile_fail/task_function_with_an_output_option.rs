use task_worker::prelude::*;

#[task(output = u32)]
async fn ping(n: u32) -> TaskResult<u32> {
    Ok(n)
}

fn main() {}
