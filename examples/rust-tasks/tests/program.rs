//! The program as people start it.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use example_rust_tasks::{CountAll, CountWords, Counts};
use serde_json::Value;
use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;
use task_worker::core::{ResultError, TaskQueue};

const PATIENCE: Duration = Duration::from_secs(30);

fn library() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "one two\nthree\n").unwrap();
    std::fs::write(
        folder.path().join("jobs.jsonl"),
        "{\"task\":\"count_words\",\"params\":{\"text\":\"a.txt\"}}\n",
    )
    .unwrap();
    folder
}

fn program(library: &tempfile::TempDir, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rust-tasks"));
    command
        .args(line.split(' '))
        .arg("--no-monitoring")
        .current_dir(library.path())
        .env("LIBRARY", library.path());
    command
}

/// Ended with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_batch_runs_inside_the_program_and_on_redis_in_processes_of_it() {
    let (library, server) = (library(), RedisServer::start(&[]));
    for queue in ["memory:", &server.url()] {
        let line = format!("-n 2 -q {queue} --input jobs.jsonl --drain");
        let output = program(&library, &line).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{queue}: {said}");
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["result"], serde_json::json!({"lines": 2, "words": 3}), "{queue}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_gets_typed_results_of_the_service() {
    let (library, server) = (library(), RedisServer::start(&[]));
    let line = format!("-n 2 -q {}", server.url());
    let _service = Service(program(&library, &line).stderr(Stdio::null()).spawn().unwrap());
    let queue = TaskQueue::new(RedisQueue::connect(&server.url()).await.unwrap());

    let handle = queue.enqueue(CountWords { text: "a.txt".into() }).await.unwrap();
    assert_eq!(handle.result(PATIENCE).await.unwrap(), Counts { lines: 2, words: 3 });
    let all = queue.enqueue(CountAll { texts: vec!["a.txt".into(); 3] }).await.unwrap();
    assert_eq!(all.result(PATIENCE).await.unwrap(), 3);
    let outside = queue.enqueue(CountWords { text: "../secret".into() }).await.unwrap();
    let error = outside.result(PATIENCE).await.unwrap_err();
    assert!(
        matches!(error, ResultError::Failed { .. }) && error.to_string().contains("../secret"),
        "{error}"
    );
}

#[test]
fn a_setup_that_fails_in_a_batch_is_told_and_ends_it() {
    let library = library();
    let mut command = program(&library, "--input jobs.jsonl --drain");
    let output = command.env("LIBRARY", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("LIBRARY is /nowhere"), "{said}");
}
