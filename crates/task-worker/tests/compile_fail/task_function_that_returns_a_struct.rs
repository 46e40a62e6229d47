use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Report {
    rows: u64,
}

#[task]
async fn count(rows: u64) -> Report {
    Report { rows }
}

fn main() {}
