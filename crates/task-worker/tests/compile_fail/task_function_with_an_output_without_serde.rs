use task_worker::prelude::*;

struct Report {
    rows: u64,
}

#[task]
async fn count(rows: u64) -> anyhow::Result<Report> {
    Ok(Report { rows })
}

// A use of what was generated earns no second error.
fn main() {
    let _ = TaskRegistry::new().register(Count::task());
}
