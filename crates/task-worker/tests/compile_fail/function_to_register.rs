use task_worker::prelude::*;

#[task]
async fn ping(n: u32) -> TaskResult<u32> {
    Ok(n)
}

fn main() {
    let _ = TaskRegistry::new().register(ping);
}
