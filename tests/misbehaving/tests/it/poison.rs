//! Tasks that end their process.

use std::fmt::Write as _;

use rustix::process::Signal;
use serde_json::{Value, json};
use task_core::{ResultError, TaskHandle, TaskStatus};
use task_testkit::RedisServer;
use task_tests::{PATIENCE, line_of, signal};

use crate::{echo, enqueue, folder, queue, record};

/// Runs 20 neighbours beside a poison, in one process that may take so much address space.
fn among_neighbours(poison: &str, address_space: u64) {
    let server = RedisServer::start(&[]);
    let mut jobs = String::new();
    for i in 0..21 {
        let line = match i {
            10 => json!({"task": poison, "id": "poison"}),
            i => json!({"task": "echo", "id": format!("{i}"), "params": {"value": i}}),
        };
        writeln!(jobs, "{line}").unwrap();
    }
    let folder = folder().file("jobs.jsonl", &jobs).file("address-space", &address_space.to_string());
    let line = format!("-n 1 --no-monitoring -q {} --input jobs.jsonl --drain", server.url());
    let ran = folder.run(&line);
    assert_eq!((ran.code, ran.results.len()), (Some(1), 21), "{}", ran.stderr);
    for i in (0..21).filter(|i| *i != 10) {
        let result = ran.result(&i.to_string());
        assert_eq!((&result["status"], &result["result"]), (&json!("COMPLETED"), &json!(i)), "{result}");
        assert!(result["attempts"].as_u64().unwrap() <= 3, "charged twice at most: {result}");
    }
    let poison = ran.result("poison");
    assert_eq!((&poison["status"], &poison["error"]["kind"]), (&json!("FAILED"), &json!("crashed")));
    assert_eq!(poison["attempts"], 4, "it may crash three times: {poison}");
    assert!(!ran.stderr.contains("parked"), "{}", ran.stderr);
}

#[test]
fn a_task_that_aborts_its_process_fails_alone() {
    among_neighbours("abort", u64::MAX);
}

#[test]
fn a_task_that_eats_memory_up_to_the_limit_of_its_process_fails_alone() {
    among_neighbours("eat_memory", 8 << 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_process_is_killed_from_outside_each_time_fails_after_its_crashes_and_nobody_with_it() {
    // as the system does when memory runs out: the task's own doing, seen only by the signal
    let (server, folder) = (RedisServer::start(&[]), folder());
    let queue = queue(&server).await;
    let running = folder.start(&format!("-n 2 --no-monitoring -q {}", server.url()));
    let hungry = enqueue(&queue, "wait_for", "hungry", json!({"file": "never"})).await;
    let mut neighbours: Vec<TaskHandle<Value>> = Vec::new();
    for attempt in 1..=4 {
        let process = line_of(&folder.path(&format!("hungry.{attempt}")));
        neighbours.push(echo(&queue, &format!("beside-{attempt}")).await);
        signal(&process, Signal::KILL);
    }
    let error = hungry.result(PATIENCE).await.unwrap_err();
    assert!(matches!(error, ResultError::Failed { .. }), "{error}");
    let record_of_it = record(&hungry).await;
    assert_eq!((record_of_it.attempts, record_of_it.crashes, record_of_it.failures), (4, 4, 0));
    for neighbour in neighbours {
        neighbour.result(PATIENCE).await.unwrap();
        assert_eq!(record(&neighbour).await.status, TaskStatus::Completed);
    }
    assert!(!running.stderr().contains("parked"), "{}", running.stderr());
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}
