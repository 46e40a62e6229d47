use task_worker::prelude::*;

#[task]
async fn ping<T: Send>(item: T) -> TaskResult {
    drop(item);
    Ok(())
}

fn main() {}
