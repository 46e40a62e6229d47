//! docs/reliability.md names tests and rules that there are.

use std::{fs, path::Path};

const PAGE: &str = include_str!("../../docs/reliability.md");

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// All Rust below a folder.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// What stands in backquotes in the tables.
fn quoted() -> impl Iterator<Item = &'static str> {
    let rows = PAGE.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2))
}

#[test]
fn every_test_script_and_rule_that_the_page_names_exists() {
    let mut rust = String::new();
    for folder in ["crates", "tests"] {
        sources(&root().join(folder), &mut rust);
    }
    let mut tests = 0;
    for name in
        quoted().filter(|name| name.len() > 25 && name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()))
    {
        let there =
            [format!("fn {name}("), format!("fn {name}<")].iter().any(|function| rust.contains(function));
        assert!(there, "{name}");
        tests += 1;
    }
    assert!(tests > 20, "{tests} tests are named");
    for script in quoted().filter(|name| name.ends_with(".lua")) {
        assert!(root().join("crates/task-queue-redis/src/lua").join(script).exists(), "{script}");
    }
}

#[test]
fn every_rule_that_the_model_can_leave_out_has_its_row() {
    let rules = fs::read_to_string(root().join("tests/model/src/broken.rs")).unwrap();
    let rules = rules.lines().filter(|line| line.starts_with("    ") && line.ends_with(',')).count();
    let table = PAGE.split("| the rule that is left out |").nth(1).expect("the table");
    assert_eq!(table.lines().skip(2).take_while(|line| line.starts_with('|')).count(), rules);
}
