use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(output = u64)]
struct Extract {
    source: String,
}

async fn extract(params: Extract, _ctx: TaskContext) -> TaskResult<String> {
    Ok(params.source)
}

fn main() {
    let _ = TaskRegistry::new().register_fn(extract);
}
