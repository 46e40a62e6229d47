//! docs/worker.md explains every key of tasks.toml in the code's own words.

use task_worker::command::keys;

#[test]
fn the_table_of_keys_in_the_docs_is_the_one_in_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/worker.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows: Vec<String> = keys()
        .iter()
        .map(|k| format!("| `{}` | {} | {} | {} |", k.name, k.takes, k.default, k.doc))
        .collect();
    let begin = "| key | takes | default | what it does |\n|---|---|---|---|\n";
    let (_, table) = page.split_once(begin).unwrap();
    let documented: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(documented, rows, "put these rows there:\n{}", rows.join("\n"));
}
