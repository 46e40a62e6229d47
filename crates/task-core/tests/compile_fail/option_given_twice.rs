use task_core::TaskParams;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(queue = "mail", queue = "slow")]
struct Ping {}

fn main() {}
