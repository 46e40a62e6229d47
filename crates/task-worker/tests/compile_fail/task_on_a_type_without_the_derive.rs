use task_worker::prelude::*;

#[task(name = "ping")]
struct Ping {}

fn main() {}
