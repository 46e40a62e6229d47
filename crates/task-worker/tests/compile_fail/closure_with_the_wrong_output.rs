use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(output = u64)]
struct Extract {
    source: String,
}

fn main() {
    let _ = TaskRegistry::new().register_fn(|params: Extract, _ctx| async move { Ok(params.source) });
}
