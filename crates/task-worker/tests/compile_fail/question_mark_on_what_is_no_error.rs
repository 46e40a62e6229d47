use task_worker::prelude::*;

struct MyError;

fn f() -> Result<(), MyError> {
    Err(MyError)
}

#[task]
async fn ping(n: u32) -> TaskResult<u32> {
    f()?;
    Ok(n)
}

fn main() {}
