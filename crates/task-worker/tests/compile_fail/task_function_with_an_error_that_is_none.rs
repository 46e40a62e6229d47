use task_worker::prelude::*;

struct MyError;

#[task]
fn count(rows: u64) -> Result<u64, MyError> {
    Ok(rows)
}

fn main() {
    let _ = TaskRegistry::new().register(Count::task());
}
