use std::{
    fmt::Write as _,
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use task_testkit::RedisServer;
use task_tests::{Ran, eventually};

use crate::folder;

const TASKS: &str = r#"
[tasks.count]
command = ["wc", "-c", "--", "{path}"]

[tasks.say]
command = ["echo", "--", "{word}"]
output = "text"

[tasks.fail]
command = ["sh", "-c", "echo no such luck >&2; exit 3"]
max_retries = 0

[tasks.sleep]
command = ["sleep", "60"]
"#;

const DRAIN: &str = "-n 4 --no-monitoring --input jobs.jsonl --drain tasks.toml";

#[test]
fn each_result_is_one_line_of_json_and_the_exit_code_is_zero() {
    let mut jobs = String::new();
    for i in 0..40 {
        writeln!(jobs, r#"{{"task": "say", "params": {{"word": "w{i}"}}, "id": "job-{i}"}}"#).unwrap();
    }
    let ran = folder().file("tasks.toml", TASKS).file("jobs.jsonl", &jobs).run(DRAIN);
    assert_eq!((ran.code, ran.results.len()), (Some(0), 40), "{}", ran.stderr);
    let said: Vec<&str> = ran.stderr.lines().collect();
    assert!(matches!(said[..], [line] if line.starts_with("40 completed, in ")), "{}", ran.stderr);
    for i in 0..40 {
        let result = ran.result(&format!("job-{i}"));
        assert_eq!((&result["status"], &result["attempts"]), (&json!("COMPLETED"), &json!(1)));
        assert!(result["result"].as_str().unwrap().contains(&format!("w{i}")), "{result}");
        assert!(result["worker"].as_str().unwrap().starts_with("worker_"), "{result}");
    }
}

#[test]
fn four_processes_share_a_batch_on_redis() {
    let server = RedisServer::start(&[]);
    // each run waits until four processes are at it, which they only are together
    let meet = "touch here.$PPID; until [ $(ls here.* | wc -l) = 4 ]; do sleep 0.02; done; echo $PPID";
    let tasks = format!("[tasks.meet]\ncommand = [\"sh\", \"-c\", \"{meet}\"]\ntimeout = \"30s\"\n");
    let jobs = "{\"task\": \"meet\"}\n".repeat(4);
    let folder = folder().file("tasks.toml", &tasks).file("jobs.jsonl", &jobs);
    let ran = folder.run(&format!("{DRAIN} -c 1 -q {}", server.url()));
    assert_eq!((ran.code, ran.results.len()), (Some(0), 4), "{}", ran.stderr);
    let mut workers: Vec<_> = ran.results.iter().map(|result| result["worker"].as_str().unwrap()).collect();
    workers.sort_unstable();
    assert_eq!(workers, ["worker_1", "worker_2", "worker_3", "worker_4"]);
}

#[test]
fn a_bad_line_is_reported_with_its_number_and_the_rest_runs() {
    let jobs = "{\"task\": \"say\", \"params\": {\"word\": \"a\"}, \"id\": \"a\"}\nnot json\n\
                {\"task\": \"say\", \"dealy\": 5}\n{\"task\": \"fail\", \"id\": \"f\"}\n";
    let ran = folder().file("tasks.toml", TASKS).file("jobs.jsonl", jobs).run(DRAIN);
    assert_eq!((ran.code, ran.results.len()), (Some(2), 2), "2 wins over 1: {}", ran.stderr);
    assert!(ran.stderr.contains("line 2:") && ran.stderr.contains("line 3:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("dealy"), "{}", ran.stderr);
}

#[test]
fn a_failed_task_makes_the_exit_code_one_and_says_why() {
    let ran = folder()
        .file("tasks.toml", TASKS)
        .file("jobs.jsonl", "{\"task\": \"fail\", \"id\": \"f\"}\n")
        .run(DRAIN);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let error = &ran.result("f")["error"];
    assert!(error["message"].as_str().unwrap().contains("no such luck"), "{error}");
    // "the attempt failed" was said, and not of which task
    let whose = "WARN task{task=fail id=f attempt=1 queue=tasks}: the attempt failed";
    assert!(ran.stderr.contains(whose), "{}", ran.stderr);
}

#[test]
fn a_name_that_no_worker_here_knows_fails_at_once_and_stops_nothing() {
    let jobs = "{\"task\": \"nobody\", \"id\": \"n\"}\n{\"task\": \"say\", \"params\": {\"word\": \"a\"}, \"id\": \"a\"}\n";
    let ran = folder().file("tasks.toml", TASKS).file("jobs.jsonl", jobs).run(DRAIN);
    assert_eq!((ran.code, ran.results.len()), (Some(1), 2), "{}", ran.stderr);
    assert_eq!(ran.result("n")["error"]["kind"], "unknown_name");
    assert_eq!(ran.result("a")["status"], "COMPLETED");
}

#[test]
fn an_id_that_comes_twice_is_one_task_and_one_line() {
    let line = "{\"task\": \"say\", \"params\": {\"word\": \"a\"}, \"id\": \"a\"}\n";
    let ran = folder().file("tasks.toml", TASKS).file("jobs.jsonl", &line.repeat(3)).run(DRAIN);
    assert_eq!((ran.code, ran.results.len()), (Some(0), 1), "{}", ran.stderr);
}

#[test]
fn tasks_are_read_from_stdin_too() {
    let folder = folder().file("tasks.toml", TASKS).file("empty", "");
    let line = "-n 1 --no-monitoring --input - --drain";
    let mut child = folder
        .command(line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let path = folder.path("empty");
    writeln!(stdin, "{}", json!({"task": "count", "params": {"path": path}, "id": "c"})).unwrap();
    drop(stdin);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.results.len()), (Some(0), 1), "{}", ran.stderr);
}

#[test]
fn a_batch_that_is_told_to_restart_its_workers_says_that_they_are_parts_of_it() {
    // the line named `memory:`, on any queue that lives in its process
    let tasks = "[tasks.up]\ncommand = [\"sh\", \"-c\", \"touch up; exec sleep 60\"]\n";
    let folder = folder().file("tasks.toml", tasks).file("jobs.jsonl", "{\"task\": \"up\"}\n");
    let running = folder.start(&format!("--grace 100ms {DRAIN}"));
    eventually("its task runs", || folder.path("up").exists().then_some(()));
    running.signal(Signal::HUP);
    eventually("it says so", || {
        running.stderr().contains("the workers of this queue are parts of this process").then_some(())
    });
    running.signal(Signal::INT);
    assert_eq!(running.end().code, Some(130), "the restart ended nothing");
}

#[test]
fn an_interrupted_batch_prints_what_is_final_and_says_what_is_not() {
    let jobs = "{\"task\": \"say\", \"params\": {\"word\": \"a\"}, \"id\": \"a\"}\n{\"task\": \"sleep\", \"id\": \"s\"}\n";
    let folder = folder().file("tasks.toml", TASKS).file("jobs.jsonl", jobs);
    let mut running = folder.start(&format!("--grace 100ms {DRAIN}"));
    assert_eq!(running.next_result()["id"], "a");
    let start = Instant::now();
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!((ran.code, ran.results.len()), (Some(130), 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 completed, 1 not final"), "{}", ran.stderr);
    assert!(start.elapsed() < Duration::from_secs(20), "the task would have slept for a minute");
}
