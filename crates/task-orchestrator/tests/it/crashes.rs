//! Workers that die under their tasks.

use std::{fmt::Write as _, time::Instant};

use rustix::process::Signal;
use task_core::{TaskHandle, TaskStatus};
use task_testkit::RedisServer;
use task_tests::{PATIENCE, line_of, signal};

use crate::{folder, service::TASKS};

#[tokio::test(flavor = "multi_thread")]
async fn the_task_of_a_killed_worker_runs_elsewhere_in_well_under_a_second() {
    let (server, folder) = (RedisServer::start(&[]), folder().file("tasks.toml", TASKS));
    let queue = crate::queue(&server).await;
    let running = folder.start(&format!("-n 4 --no-monitoring -q {}", server.url()));
    let task: TaskHandle<()> = queue.enqueue_named("hold", &()).id("a".parse().unwrap()).await.unwrap();
    let worker = line_of(&folder.path("held.a.1"));
    let killed = Instant::now();
    signal(&worker, Signal::KILL);
    let other = line_of(&folder.path("held.a.2"));
    let took = killed.elapsed();
    println!("from kill -9 of the worker until its task ran elsewhere: {} ms", took.as_millis());
    assert!(took.as_secs() < 5, "{took:?}; {}", running.stderr());
    assert_ne!(worker, other);
    task.result(PATIENCE).await.unwrap();
    let record = task.message().await.unwrap().unwrap();
    assert_eq!((record.attempts, record.crashes, record.failures), (2, 1, 0));
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn two_poison_tasks_fail_alone_and_none_of_their_forty_neighbours_with_them() {
    // elsewhere, one job that kills its process failed 63 neighbours that were running beside it
    let server = RedisServer::start(&[]);
    let tasks = format!("{TASKS}\n[tasks.poison]\ncommand = [\"sh\", \"-c\", \"kill -9 $PPID; sleep 60\"]\n");
    let mut jobs = String::new();
    for i in 0..42 {
        let task = if i == 7 || i == 21 { "poison" } else { "echo" };
        writeln!(jobs, r#"{{"task": "{task}", "id": "{task}-{i}"}}"#).unwrap();
    }
    let folder = folder().file("tasks.toml", &tasks).file("jobs.jsonl", &jobs);
    let line = format!("-n 1 --no-monitoring -q {} --input jobs.jsonl --drain", server.url());
    let ran = folder.run(&line);
    assert_eq!((ran.code, ran.results.len()), (Some(1), 42), "{}", ran.stderr);
    for i in 0..42 {
        if i == 7 || i == 21 {
            let result = ran.result(&format!("poison-{i}"));
            assert_eq!((&result["status"], &result["error"]["kind"]), (&"FAILED".into(), &"crashed".into()));
            assert_eq!(result["attempts"], 4, "it may crash three times: {result}");
        } else {
            let result = ran.result(&format!("echo-{i}"));
            assert_eq!(result["status"], TaskStatus::Completed.as_str(), "{result}");
        }
    }
    assert!(!ran.stderr.contains("parked"), "{}", ran.stderr);
}
