use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(output = u64)]
struct Extract {
    source: String,
}

struct Extractor;

impl Task for Extractor {
    type Params = Extract;
    async fn run(&self, params: Extract, _ctx: TaskContext) -> TaskResult<String> {
        Ok(params.source)
    }
}

fn main() {}
