use task_worker::prelude::*;

#[task(timeout = "soon")]
async fn ping(n: u32) -> TaskResult<u32> {
    Ok(n)
}

// A use of what was generated earns no second error.
fn main() {
    let _ = TaskRegistry::new().register(Ping::task());
}
