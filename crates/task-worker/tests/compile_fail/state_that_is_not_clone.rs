use task_worker::prelude::*;

struct Pool;

#[task]
async fn ping(#[state] pool: Pool) -> TaskResult {
    let _ = pool;
    Ok(())
}

fn main() {
    let _ = TaskRegistry::new().register(Ping::task(Pool));
}
