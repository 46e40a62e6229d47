use task_worker::prelude::*;

#[task]
async fn ping(#[state] pool: &String) -> TaskResult {
    let _ = pool;
    Ok(())
}

fn main() {
    let _ = TaskRegistry::new().register(Ping::task());
}
