use std::net::TcpListener;

use crate::command_line::{Folder, Ran, WORKER};

const TASKS: &str = "[tasks.say]\ncommand = [\"echo\", \"a\"]\n";

fn folder() -> Folder {
    Folder::new().file("tasks.toml", TASKS).file("jobs.jsonl", "").program("myworker", "#!/bin/sh\n")
}

#[track_caller]
fn refused(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!((ran.code, ran.results.len()), (Some(code), 0), "{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is missing in: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn what_can_not_be_run_is_refused_with_the_value_and_the_remedy() {
    let folder = folder();
    for (line, words) in [
        ("-n 0 --input jobs.jsonl", &["--workers 0", "-n 4"][..]),
        ("", &["memory:", "--input FILE"]),
        ("--input jobs.jsonl ./myworker", &["myworker", "-q localhost:6379"]),
        ("-q amqp://ann:secret@host", &["amqp://ann:***@host"]),
        ("--input absent.jsonl", &["absent.jsonl"]),
        ("--max-tasks 5", &["--max-tasks"]),
    ] {
        let ran = folder.run(line);
        refused(&ran, 2, words);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
}

#[test]
fn a_folder_without_anything_to_run_is_refused_before_the_queue_is_asked() {
    refused(&Folder::new().run("-q localhost:1"), 2, &["no tasks.toml in", "./myworker"]);
}

#[test]
fn a_slip_in_the_tasks_file_is_found_before_anything_runs() {
    let folder =
        Folder::new().file("tasks.toml", "[tasks.say]\ncomand = [\"echo\"]\n").file("jobs.jsonl", "");
    refused(&folder.run("--input jobs.jsonl --drain"), 2, &["comand", "command"]);
}

#[test]
fn a_lone_worker_without_a_queue_is_told_what_to_give() {
    let ran = Ran::of(folder().command(WORKER, "").output().unwrap());
    refused(&ran, 2, &["-q localhost:6379"]);
}

#[test]
fn a_port_where_no_redis_answers_is_named_within_the_time_given() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = folder().run(&format!("-q 127.0.0.1:{port} --connect-timeout 1s --no-monitoring"));
    refused(&ran, 3, &[&port.to_string()]);
}
