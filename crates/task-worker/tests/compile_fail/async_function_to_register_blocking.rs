use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(output = String)]
struct Read {
    path: String,
}

async fn read(params: Read, _ctx: TaskContext) -> TaskResult<String> {
    Ok(params.path)
}

fn main() {
    let _ = TaskRegistry::new().register_blocking(read);
}
