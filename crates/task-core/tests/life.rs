//! The life of a task is written twice, in the code and in docs/task.md; this holds the two together.

use task_core::TRANSITIONS;

#[test]
fn the_table_in_the_docs_is_the_table_in_the_code() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/task.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| from | event | to |\n|---|---|---|\n").unwrap();
    let documented: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let coded: Vec<String> =
        TRANSITIONS.iter().map(|t| format!("| {} | {:?} | {} |", t.from, t.event, t.to)).collect();
    assert_eq!(documented, coded);
}
