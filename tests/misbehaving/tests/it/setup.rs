//! Programs that do not get up, or that hang, and params that are none.

use std::fs;

use rustix::process::Signal;
use serde_json::json;
use task_core::{FailureKind, ResultError};
use task_testkit::RedisServer;
use task_tests::{PATIENCE, eventually, line_of, signal};

use crate::{assert_accounted, echo, enqueue, folder, queue, record};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_hangs_is_tried_again_after_its_time_and_works_once_what_it_waited_for_is_there() {
    let (server, folder) = (RedisServer::start(&[]), folder().file("hang", ""));
    let queue = queue(&server).await;
    let line = format!("-n 1 --no-monitoring -q {} --ready-timeout 200ms --grace 0", server.url());
    let running = folder.start(&line);
    eventually("it is stopped", || running.stderr().contains("--ready-timeout").then_some(()));
    fs::remove_file(folder.path("hang")).unwrap();
    let task = echo(&queue, "a").await;
    task.result(PATIENCE).await.unwrap();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_start_that_fails_says_why_and_parks_the_workers_of_a_service() {
    let (server, folder) = (RedisServer::start(&[]), folder().file("broken", ""));
    let running = folder.start(&format!("-n 1 --no-monitoring -q {}", server.url()));
    eventually("it is parked", || running.stderr().contains("parked").then_some(()));
    assert!(running.stderr().contains("the database says no"), "{}", running.stderr());
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_start_that_fails_inside_the_orchestrator_ends_it() {
    let folder = folder().file("broken", "").file("jobs.jsonl", "{\"task\": \"echo\"}\n");
    let ran = folder.run("--no-monitoring --input jobs.jsonl --drain");
    assert_eq!((ran.code, ran.results.len()), (Some(2), 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("error: the database says no"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_frozen_is_replaced_and_its_task_runs_elsewhere() {
    let (server, folder) = (RedisServer::start(&[]), folder());
    let queue = queue(&server).await;
    let line = format!("-n 2 --no-monitoring -q {} --timeout 1s --ready-timeout 5s --grace 0", server.url());
    let running = folder.start(&line);
    let task = enqueue(&queue, "wait_for", "a", json!({"file": "go"})).await;
    let process = line_of(&folder.path("a.1"));
    signal(&process, Signal::STOP);
    let other = line_of(&folder.path("a.2"));
    assert_ne!(process, other);
    // it may have run the task before it said that it is ready
    assert!(running.stderr().contains("timeout): stopped"), "{}", running.stderr());
    fs::write(folder.path("go"), "").unwrap();
    task.result(PATIENCE).await.unwrap();
    let record = record(&task).await;
    assert_accounted(&record);
    assert_eq!((record.crashes, record.failures), (1, 0));
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_tasks_block_every_thread_is_told_of_and_left_alone() {
    // live tasks were taken for stalled, and run twice, since they kept their worker from saying that it lives
    let (server, folder) = (RedisServer::start(&[]), folder());
    let queue = queue(&server).await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let line = format!("-n 1 --no-monitoring -q {} --timeout 1s --grace 0", server.url());
    let running = folder.start(&line);
    let mut tasks = Vec::new();
    for i in 0..cores {
        tasks.push(enqueue(&queue, "block_until", &format!("b{i}"), json!({"file": "go"})).await);
    }
    eventually("it is told of", || running.stderr().contains("register_blocking").then_some(()));
    assert!(running.stderr().contains("block_until b"), "{}", running.stderr());
    fs::write(folder.path("go"), "").unwrap();
    for task in &tasks {
        task.result(PATIENCE).await.unwrap();
        assert_eq!(record(task).await.attempts, 1, "{}", running.stderr());
    }
    assert!(!running.stderr().contains("--timeout"), "{}", running.stderr());
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn params_that_do_not_fit_fail_their_task_with_the_reason_and_stop_nobody() {
    let (server, folder) = (RedisServer::start(&[]), folder());
    let queue = queue(&server).await;
    let running = folder.start(&format!("-n 1 --no-monitoring -q {} --max-retries 0", server.url()));
    let wrong = enqueue(&queue, "wait_for", "wrong", json!({"file": 7})).await;
    let good = echo(&queue, "good").await;
    good.result(PATIENCE).await.unwrap();
    let ResultError::Failed { failure, .. } = wrong.result(PATIENCE).await.unwrap_err() else { panic!() };
    assert_eq!(failure.kind, FailureKind::Params);
    assert!(failure.message.contains("expected a string"), "{failure:?}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}
