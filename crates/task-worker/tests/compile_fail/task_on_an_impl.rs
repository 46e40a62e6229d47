use task_worker::prelude::*;

struct Pinger;

#[task]
impl Pinger {}

fn main() {}
