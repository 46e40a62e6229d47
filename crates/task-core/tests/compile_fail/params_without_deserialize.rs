use task_core::TaskParams;

#[derive(serde::Serialize, TaskParams)]
struct Extract {
    source: String,
}

fn main() {}
