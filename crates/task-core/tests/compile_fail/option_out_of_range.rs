use task_core::TaskParams;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(priority = 101)]
struct Ping {}

fn main() {}
