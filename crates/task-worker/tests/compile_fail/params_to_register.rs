use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

fn main() {
    let _ = TaskRegistry::new().register(Ping {});
}
