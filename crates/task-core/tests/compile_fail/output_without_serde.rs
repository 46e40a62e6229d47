use task_core::TaskParams;

struct Report {
    rows: u64,
}

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(output = Report)]
struct Extract {
    source: String,
}

fn main() {}
