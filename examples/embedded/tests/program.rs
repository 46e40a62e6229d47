//! The program as people start it.

use std::{path::Path, process::Command};

/// What README.md says that the program says: the lines of the block behind its command.
fn promised() -> String {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let block = readme.split("```text\n").find(|block| block.starts_with("$ cargo run")).unwrap();
    let lines = block.split("```").next().unwrap();
    lines.lines().skip(1).map(|line| format!("{line}\n")).collect()
}

fn run(folder: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_embedded")).current_dir(folder).output().unwrap()
}

#[test]
fn it_says_what_the_readme_says_and_leaves_the_mails_in_the_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), promised());
    let mail = |name: &str| std::fs::read_to_string(folder.path().join("outbox").join(name)).unwrap();
    assert_eq!(mail("invoice-7001.eml"), "To: ann@example.org\n\nInvoice 7001: please pay 119.00.\n");
    assert_eq!(mail("reminder-7002.eml"), "To: bob@example.org\n\nIt is still open.\n");
    assert!(!folder.path().join("outbox/reminder-7001.eml").exists());
}

#[test]
fn an_outbox_that_is_there_already_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("outbox")).unwrap();
    let output = run(folder.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("outbox is there already"), "{said}");
}

#[test]
fn the_test_that_the_readme_shows_is_one_of_the_code() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let shown = readme.split("```rust\n").nth(1).and_then(|block| block.split("```").next()).unwrap();
    let shown: String = shown.lines().map(|line| format!("    {line}\n")).collect();
    assert!(std::fs::read_to_string("src/tasks.rs").unwrap().contains(&shown), "{shown}");
}
