//! docs/redis-layout.md says what the code does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

const DOCS: &str = include_str!("../../../../docs/redis-layout.md");

/// The rows of the first table under this heading, each its cells.
fn table(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let text = DOCS.split(&format!("\n## {heading}\n")).nth(1).expect("the page has the heading");
    let rows = text.lines().skip_while(|line| !line.starts_with("|--"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
}

/// What stands in backquotes.
fn quoted(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').skip(1).step_by(2)
}

/// The structures of a named queue, without what is an incarnation, a priority or a name, and their types.
pub(crate) fn structures() -> BTreeMap<&'static str, &'static str> {
    let structure = |row: Vec<&'static str>| {
        let name = quoted(row[0]).next().expect("the name of a key stands in backquotes");
        (name.trim_end_matches([':', 'I', 'K', 'N', 'P']), row[1])
    };
    table("Keys").map(structure).collect()
}

/// The structure that a key of the queue `tasks` belongs to.
pub(crate) fn structure_of(key: &str) -> &str {
    let suffix = key.strip_prefix("tf:{tasks}:").expect("a key of the queue");
    match suffix.split_once(':') {
        Some((structure, _)) if structure != "end" => structure,
        _ => suffix,
    }
}

fn source(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

#[test]
fn the_keys_that_are_documented_are_those_of_the_scripts() {
    let base = std::fs::read_to_string(source("src/lua/keys.lua")).unwrap();
    let used = base.split("base .. ':").skip(1).map(|rest| rest.split('\'').next().unwrap());
    let used: BTreeSet<&str> =
        used.map(|suffix| suffix.trim_end_matches(':')).filter(|used| *used != "done").collect();
    let without_status = |name: &'static str| name.split(':').next().unwrap();
    let documented: BTreeSet<&str> = structures().into_keys().map(without_status).collect();
    assert_eq!(documented, used);
}

#[test]
fn the_scripts_that_are_documented_are_those_that_there_are() {
    let files = std::fs::read_dir(source("src/lua")).unwrap();
    let there: BTreeSet<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut documented: BTreeSet<String> =
        table("Scripts").flat_map(|row| quoted(row[0])).map(str::to_owned).collect();
    documented.extend(table("Parts of scripts").flat_map(|row| quoted(row[0])).map(str::to_owned));
    assert_eq!(documented, there);
}

#[test]
fn each_promise_names_tests_that_there_are() {
    let mut promises = 0;
    for row in table("Which promise is kept where") {
        promises += 1;
        let mut tests = 0;
        for test in quoted(row[2]) {
            let (module, name) = test.split_once("::").expect("a module and a test");
            if module == "conformance" {
                let file = source(&format!("../task-testkit/src/conformance/{name}.rs"));
                assert!(file.exists(), "{}: {test}", row[0]);
            } else {
                let text = std::fs::read_to_string(source(&format!("tests/it/{module}.rs"))).unwrap();
                assert!(text.contains(&format!("async fn {name}(")), "{}: {test}", row[0]);
            }
            tests += 1;
        }
        assert!(tests > 0, "{}", row[0]);
    }
    assert_eq!(promises, 10);
}
