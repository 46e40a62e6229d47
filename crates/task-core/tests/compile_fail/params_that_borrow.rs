use task_core::TaskParams;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Extract<'a> {
    source: &'a str,
}

fn main() {}
