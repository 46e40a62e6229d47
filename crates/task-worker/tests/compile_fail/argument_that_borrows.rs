use task_worker::prelude::*;

#[task]
async fn ping(name: &str) -> TaskResult {
    let _ = name;
    Ok(())
}

fn main() {
    let _ = TaskRegistry::new().register(Ping::task());
}
