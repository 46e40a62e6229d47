use task_worker::prelude::*;

#[task]
async fn ping(#[state] name: &str) -> TaskResult<&str> {
    Ok(name)
}

fn main() {}
