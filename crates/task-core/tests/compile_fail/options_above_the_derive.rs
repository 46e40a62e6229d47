use task_core::TaskParams;

#[task(priority = 80)]
#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

fn main() {}
