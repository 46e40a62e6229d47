use task_worker::prelude::*;

async fn other() {}

#[task]
async fn ping(n: u32) -> TaskResult<u32> {
    let shared = std::rc::Rc::new(n);
    other().await;
    Ok(*shared)
}

fn main() {}
