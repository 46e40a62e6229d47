//! Metrics and probes of an orchestrator.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use rustix::process::Signal;
use task_testkit::RedisServer;
use task_tests::{PATIENCE, eventually};

use crate::{folder, service::TASKS};

/// A port that is free, or was a moment ago.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Status and text of a page, once somebody answers there.
fn get(port: u16, path: &str) -> (u16, String) {
    let answer = eventually("the port answers", || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    });
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), text.to_owned())
}

#[test]
fn a_service_serves_metrics_and_probes_and_is_not_ready_while_its_queue_is_away() {
    let mut server = RedisServer::start(&[]);
    let (folder, port) = (folder().file("tasks.toml", TASKS), port());
    let running = folder.start(&format!("-n 2 -q {} --monitoring-port {port}", server.url()));
    eventually("both workers are seen", || {
        get(port, "/metrics").1.contains("task_children_alive 2\n").then_some(())
    });
    assert_eq!(get(port, "/healthz").0, 200);
    let (status, text) = get(port, "/readyz");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("appendonly is off"), "{text}");
    server.kill();
    eventually("it is not ready", || (get(port, "/readyz").0 == 503).then_some(()));
    assert_eq!(get(port, "/healthz").0, 200, "an outage of the queue ends nobody");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_worker_processes_saw_of_tasks_is_in_the_metrics_of_their_orchestrator() {
    let (server, port) = (RedisServer::start(&[]), port());
    let folder = folder().file("tasks.toml", TASKS);
    let running = folder.start(&format!("-n 2 -q {} --monitoring-port {port}", server.url()));
    let queue = crate::queue(&server).await;
    let task: task_core::TaskHandle<()> = queue.enqueue_named("echo", &()).await.unwrap();
    task.result(PATIENCE).await.unwrap();
    for name in ["task_wait_seconds", "task_run_seconds"] {
        let count = format!("{name}_count{{queue=\"tasks\",task=\"echo\"}} 1\n");
        eventually("its time is told", || get(port, "/metrics").1.contains(&count).then_some(()));
    }
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn workers_that_all_come_to_nothing_are_counted_and_make_the_service_unready() {
    let (server, port) = (RedisServer::start(&[]), port());
    let folder = folder().program("myworker", "#!/bin/sh\nexit 3\n");
    let running = folder.start(&format!("-n 1 -q {} --monitoring-port {port} ./myworker", server.url()));
    let (_, text) =
        eventually("it is parked", || Some(get(port, "/readyz")).filter(|(status, _)| *status == 503));
    assert!(text.contains("parked"), "{text}");
    let (_, text) = get(port, "/metrics");
    // a dashboard showed a start more than there were: the third death parks
    assert!(text.contains("task_children_restarted_total{reason=\"exited\"} 2\n"), "{text}");
    assert!(text.contains("task_children_all_parked 1\n"), "{text}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn a_port_in_use_is_an_error_that_names_it_where_it_was_asked_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = folder().file("tasks.toml", TASKS).file("jobs.jsonl", "{\"task\": \"echo\"}\n");
    for line in [
        format!("-q 127.0.0.1:1 --monitoring-port {port}"),
        format!("--input jobs.jsonl --drain --monitoring-port {port}"),
    ] {
        let ran = folder.run(&line);
        assert_eq!((ran.code, ran.results.len()), (Some(2), 0), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("port {port}")), "{}", ran.stderr);
        assert!(ran.stderr.contains("--no-monitoring"), "{}", ran.stderr);
    }
}
