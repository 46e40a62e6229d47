use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(output = String)]
struct Read {
    path: String,
}

fn read(params: Read, _ctx: TaskContext) -> TaskResult<String> {
    Ok(std::fs::read_to_string(params.path)?)
}

fn main() {
    let _ = TaskRegistry::new().register_fn(read);
}
