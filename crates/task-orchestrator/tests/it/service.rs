//! Workers on Redis that an app feeds.

use std::{fs, os::unix::net::UnixDatagram};

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::{Value, json};
use task_core::{TaskHandle, TaskStatus};
use task_testkit::RedisServer;
use task_tests::{Folder, PATIENCE, Ran, eventually, has_ended, line_of};

use crate::{WORKER, folder};

pub(crate) const TASKS: &str = r#"
[tasks.echo]
command = ["cat"]
output = "json"

# says whose child it is, and goes on for long at its first attempt alone
[tasks.hold]
command = ["sh", "-c", "echo $PPID > held.$TASK_ID.$TASK_ATTEMPT; [ $TASK_ATTEMPT -gt 1 ] || exec sleep 600"]
"#;

fn with_tasks() -> Folder {
    folder().file("tasks.toml", TASKS)
}

fn line(server: &RedisServer) -> String {
    format!("-n 4 --no-monitoring -q {} --grace 100ms", server.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_the_results_of_what_it_enqueues_and_the_service_stops_cleanly() {
    let (server, folder) = (RedisServer::start(&["--appendonly", "yes"]), with_tasks());
    let running = folder.start(&line(&server));
    let queue = crate::queue(&server).await;
    let handles = join_all((0..200).map(|i| {
        let queue = queue.clone();
        async move { queue.enqueue_named::<Value>("echo", &json!({"n": i})).await.unwrap() }
    }));
    let handles: Vec<TaskHandle<Value>> = handles.await;
    for (i, handle) in handles.iter().enumerate() {
        assert_eq!(handle.result(PATIENCE).await.unwrap(), json!({"n": i}), "{}", running.stderr());
    }
    running.signal(Signal::TERM);
    let ran = running.end();
    assert_eq!((ran.code, ran.results.len()), (Some(0), 0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("WARN") && !ran.stderr.contains("ERROR"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_runs_when_the_service_is_told_to_stop_is_given_back_uncounted() {
    let (server, folder) = (RedisServer::start(&[]), with_tasks());
    let queue = crate::queue(&server).await;
    let running = folder.start(&line(&server));
    let task: TaskHandle<()> = queue.enqueue_named("hold", &()).id("a".parse().unwrap()).await.unwrap();
    line_of(&folder.path("held.a.1"));
    running.signal(Signal::TERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let record = task.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.releases), (TaskStatus::Pending, 1), "{}", ran.stderr);
    assert_eq!((record.failures, record.crashes), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_stop_when_their_orchestrator_is_killed_and_what_they_ran_is_not_lost() {
    let (server, folder) = (RedisServer::start(&[]), with_tasks());
    let queue = crate::queue(&server).await;
    let running = folder.start(&line(&server));
    let task: TaskHandle<()> = queue.enqueue_named("hold", &()).id("a".parse().unwrap()).await.unwrap();
    let worker = line_of(&folder.path("held.a.1"));
    running.signal(Signal::KILL);
    eventually("the worker stops", || has_ended(&worker).then_some(()));
    // the other worker may take it before it hears, too, that the orchestrator is gone; then it gives it back as well
    let end = tokio::time::Instant::now() + PATIENCE;
    let record = loop {
        let record = task.message().await.unwrap().unwrap();
        if record.status == TaskStatus::Pending {
            break record;
        }
        assert!(tokio::time::Instant::now() < end, "it is not given back: {record:?}");
        tokio::task::yield_now().await;
    };
    assert_eq!((record.releases, record.failures, record.crashes), (record.attempts, 0, 0));

    let running = folder.start(&line(&server));
    task.result(PATIENCE).await.unwrap();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_code_comes_with_a_rolling_restart_waits_for_it_and_starves_nobody() {
    let (server, folder) = (RedisServer::start(&[]), with_tasks());
    let queue = crate::queue(&server).await;
    let running = folder.start(&line(&server));
    let new: TaskHandle<Value> = queue.enqueue_named("new", &json!({"a": 1})).await.unwrap();
    let old: TaskHandle<Value> = queue.enqueue_named("echo", &json!({"b": 2})).await.unwrap();
    assert_eq!(old.result(PATIENCE).await.unwrap(), json!({"b": 2}));
    assert_eq!(new.status().await.unwrap(), Some(TaskStatus::Pending), "{}", running.stderr());

    let more = format!("{TASKS}\n[tasks.new]\ncommand = [\"cat\"]\n");
    fs::write(folder.path("tasks.toml"), more).unwrap();
    running.signal(Signal::HUP);
    assert_eq!(new.result(PATIENCE).await.unwrap(), json!({"a": 1}), "{}", running.stderr());
    let record = new.message().await.unwrap().unwrap();
    assert_eq!((record.failures, record.crashes), (0, 0), "to wait for code is no failure");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_new_release_wait_for_its_workers_before_those_of_the_old_and_starve_none() {
    // elsewhere, workers of the old release discard what they do not know, or hand it round among themselves for ever
    let (server, folder) = (RedisServer::start(&[]), with_tasks());
    let queue = crate::queue(&server).await;
    let old = folder.start(&line(&server));
    let enqueue = |task: &'static str| {
        let queue = queue.clone();
        async move { queue.enqueue_named::<Value>(task, &json!({"of": task})).priority(90).await.unwrap() }
    };
    let new = join_all((0..100).map(|_| enqueue("new"))).await;
    let known = join_all((0..20).map(|_| enqueue("echo"))).await;
    for task in &known {
        task.result(PATIENCE).await.unwrap();
    }
    for task in &new {
        assert_eq!(task.status().await.unwrap(), Some(TaskStatus::Pending), "{}", old.stderr());
    }
    let more = format!("{TASKS}\n[tasks.new]\ncommand = [\"cat\"]\n");
    let next = crate::folder().file("tasks.toml", &more);
    let running = next.start(&line(&server));
    for task in &new {
        assert_eq!(task.result(PATIENCE).await.unwrap(), json!({"of": "new"}), "{}", running.stderr());
        let record = task.message().await.unwrap().unwrap();
        assert_eq!(
            (record.attempts, record.failures, record.crashes),
            (1, 0, 0),
            "to be put aside costs nothing"
        );
    }
    for running in [old, running] {
        running.signal(Signal::TERM);
        assert_eq!(running.end().code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_worker_takes_the_flags_of_other_frameworks_and_ends_when_its_queue_is_empty() {
    let (server, folder) = (RedisServer::start(&[]), with_tasks());
    let queue = crate::queue(&server).await;
    let task = queue.enqueue_named::<Value>("echo", &json!([1])).queue("production_jobs").await.unwrap();
    let line = format!(
        "--worker-id worker_7 --redis-url redis://{} --queue-name production_jobs --log-level WARNING \
         --max-retries 5 --drain",
        server.url()
    );
    let ran = Ran::of(folder.command_of(WORKER, &line).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let record = task.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.worker.as_deref()), (TaskStatus::Completed, Some("worker_7")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_hears_a_second_signal_gives_back_at_once_what_it_runs() {
    // it dropped its tasks: they stayed RUNNING until the lease of the dead worker ended, and counted a crash
    let (server, folder) = (RedisServer::start(&[]), with_tasks());
    let queue = crate::queue(&server).await;
    let task: TaskHandle<()> = queue.enqueue_named("hold", &()).id("a".parse().unwrap()).await.unwrap();
    let line = format!(
        "--worker-id lone -q {} --queue-name tasks --log-level INFO --grace 600s --drain",
        server.url()
    );
    let running = folder.start_of(WORKER, &line);
    line_of(&folder.path("held.a.1"));
    running.signal(Signal::TERM);
    eventually("it has heard the first", || running.stderr().contains("stopping").then_some(()));
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!(ran.code, Some(143), "{}", ran.stderr);
    let record = task.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.releases), (TaskStatus::Pending, 1), "{}", ran.stderr);
    assert_eq!((record.failures, record.crashes), (0, 0));
}

#[test]
fn a_lone_worker_says_what_its_queue_warns_of() {
    // only the orchestrator did
    let (server, folder) = (RedisServer::start(&["--maxmemory-policy", "allkeys-lru"]), with_tasks());
    let line = format!("--worker-id lone -q {} --queue-name tasks --log-level INFO", server.url());
    let running = folder.start_of(WORKER, &line);
    for warning in ["maxmemory-policy is allkeys-lru", "appendonly is off"] {
        eventually(warning, || running.stderr().contains(warning).then_some(()));
    }
    running.signal(Signal::TERM);
    let ran = running.end();
    assert_eq!((ran.code, ran.stderr.matches("appendonly is off").count()), (Some(0), 1), "{}", ran.stderr);
}

#[test]
fn a_service_manager_is_told_that_the_service_is_ready_and_goes_on_to_live() {
    let (server, folder) = (RedisServer::start(&[]), with_tasks());
    let manager = UnixDatagram::bind(folder.path("manager")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = folder.command(&line(&server));
    command.env("NOTIFY_SOCKET", folder.path("manager")).env("WATCHDOG_USEC", "300000");
    let running = folder.spawn(command);
    let (mut said, mut words) = (String::new(), [0; 4096]);
    while said.matches("WATCHDOG=1").count() < 3 || !said.contains("STATUS=4 workers\n") {
        let length = manager.recv(&mut words).unwrap_or_else(|e| panic!("{e}: {said}{}", running.stderr()));
        said += std::str::from_utf8(&words[..length]).unwrap();
        said.push('\n');
    }
    assert!(said.starts_with("READY=1\n") && said.matches("READY=1").count() == 1, "{said}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}
