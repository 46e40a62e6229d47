use task_core::TaskParams;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(name = "big job")]
struct Ping {}

fn main() {}
