//! The examples without code, as the README and their own pages run them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use task_testkit::RedisServer;

use crate::ORCHESTRATOR;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The exit code, the results by their ids, and what people were told.
fn run(folder: &Path, args: &str) -> (Option<i32>, Vec<Value>, String) {
    let mut command = Command::new(ORCHESTRATOR);
    let output = command.args(args.split(' ')).arg("--no-monitoring").current_dir(folder).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut results: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    results.sort_by_key(|result| result["id"].to_string());
    (output.status.code(), results, String::from_utf8(output.stderr).unwrap())
}

/// The command of the README's quick start, its words after the program.
fn quick_start() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let (program, args) = block.lines().next().unwrap().split_once(" -- ").unwrap();
    assert_eq!(program, "cargo run --bin task-orchestrator");
    args.to_owned()
}

#[test]
fn the_quick_start_counts_the_words_of_real_files_on_each_queue() {
    let server = RedisServer::start(&[]);
    for queue in ["memory:".to_owned(), server.url()] {
        let (code, results, told) = run(&repository(), &format!("-q {queue} {}", quick_start()));
        assert_eq!((code, results.len()), (Some(0), 8), "{told}");
        let licence = results.iter().find(|result| result["id"] == "licence").unwrap();
        let words = std::fs::read_to_string(repository().join("LICENSE-APACHE")).unwrap();
        let words = words.split_whitespace().count();
        assert_eq!(licence["result"], json!(format!("{words} LICENSE-APACHE")));
    }
}

#[test]
fn scripts_tell_by_their_exit_codes_what_trying_again_is_worth() {
    let folder = repository().join("examples/scripts");
    let (code, results, told) = run(&folder, "-n 2 --input jobs.jsonl --drain");
    assert_eq!(code, Some(1), "{told}");
    let [empty, no_such_column, not_there, total, words] = &results[..] else { panic!("{results:?}") };
    assert_eq!(total["result"], json!({"rows": 4, "total": 152.65}));
    assert_eq!(words["status"], "COMPLETED");
    assert_eq!(words["result"].as_str().unwrap().lines().count(), 2, "{words}");
    assert_eq!((&empty["status"], &empty["attempts"]), (&json!("SKIPPED"), &json!(1)));
    assert_eq!((&no_such_column["status"], &no_such_column["attempts"]), (&json!("FAILED"), &json!(1)));
    let why = no_such_column["error"]["message"].as_str().unwrap();
    assert_eq!(why, "exit code 65: orders.csv has no column 'price'; it has order, customer, amount");
    assert_eq!((&not_there["status"], &not_there["attempts"]), (&json!("FAILED"), &json!(3)));
    assert!(not_there["error"]["message"].as_str().unwrap().contains("tomorrow.csv"), "{not_there}");
}
