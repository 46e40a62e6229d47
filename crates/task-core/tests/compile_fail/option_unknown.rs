use task_core::TaskParams;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(retries = 3)]
struct Ping {}

fn main() {}
