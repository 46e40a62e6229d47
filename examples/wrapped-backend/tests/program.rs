//! The program as people start it.

use std::process::{Command, Output};

use serde_json::Value;
use task_testkit::RedisServer;

fn run(folder: &tempfile::TempDir, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wrapped-backend"));
    command.args(line.split(' ')).arg("--no-monitoring").current_dir(folder.path()).output().unwrap()
}

#[test]
fn its_urls_open_it_inside_the_program_and_in_worker_processes() {
    let server = RedisServer::start(&[]);
    for inner in ["memory:", &server.url()] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy("jobs.jsonl", folder.path().join("jobs.jsonl")).unwrap();
        let output = run(&folder, &format!("-n 2 -q audited:{inner} --input jobs.jsonl --drain"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{inner}: {said}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut results: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["result"].as_str().unwrap().to_owned())
            .collect();
        results.sort();
        assert_eq!(results, ["HELLO", "WORLD"], "{inner}: {said}");
        let log = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
        let mut lines: Vec<&str> = log.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["a completed", "b completed"], "{inner}");
    }
}

#[test]
fn a_url_of_nobody_is_told_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&folder, "-q amqp://host --drain");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("audited:URL, memory:"), "{said}");
}
