use task_core::TaskParams;

#[derive(TaskParams)]
#[task(name = "extract")]
struct Extract {
    source: String,
}

fn main() {}
