use std::process::Stdio;

use crate::server::{Ran, Server};

#[test]
fn what_is_exported_is_imported_as_the_same_tasks_also_a_second_time() {
    let server = Server::start(&[]);
    server
        .run(&["enqueue", "double", "{\"b\": [1, 2.5], \"a\": null}", "--id", "a", "--priority", "80"])
        .exits(0);
    server
        .run(&["enqueue", "double", "7", "--id", "b", "--at", "2040-01-31T18:00:00Z", "--max-retries", "9"])
        .exits(0);
    server.run(&["enqueue", "double", "7", "--id", "c"]).exits(0);
    server.run(&["cancel", "c"]).exits(0);

    let exported = server.run(&["export"]).exits(0).says(&["exported 2 tasks"]);
    let lines = exported.objects();
    assert_eq!((&lines[0]["id"], &lines[1]["at"]), (&"a".into(), &"2040-01-31T18:00:00.000Z".into()));
    assert_eq!(lines[0]["params"], serde_json::json!({"b": [1, 2.5], "a": null}));
    let other = Server::start(&[]);
    other.run_with(&["import", "-"], &exported.out).exits(0).says(&["enqueued 2 tasks"]);
    assert_eq!(other.run(&["export"]).exits(0).out, exported.out);
    let again = other.run_with(&["--json", "import", "-"], &exported.out).exits(0).objects().remove(0);
    assert_eq!((&again["enqueued"], &again["already_there"]), (&0.into(), &2.into()));
    assert_eq!(server.run(&["export", "--state", "cancelled"]).exits(0).objects()[0]["id"], "c");
}

#[test]
fn a_bad_line_is_told_with_its_number_and_the_rest_comes_in() {
    let server = Server::start(&[]);
    let text = "{\"task\": \"double\", \"id\": \"a\"}\n{\"task\": \"double\", \"dealy\": 5}\n{\"task\": \"double\"}\n";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.jsonl");
    std::fs::write(&file, text).unwrap();
    let ran = server.run(&["import", file.to_str().unwrap()]).exits(2);
    ran.says(&["line 2", "`dealy`", "enqueued 2 tasks; 1 bad line"]);
    server.run(&["status", "a"]).exits(0);
}

#[test]
fn many_lines_come_in_and_go_out_whole() {
    let server = Server::start(&[]);
    let text: String = (0..2_000)
        .map(|n| format!("{{\"task\": \"double\", \"id\": \"t{n}\", \"params\": {n}}}\n"))
        .collect();
    server.run_with(&["import", "-"], &text).exits(0).says(&["enqueued 2000 tasks"]);
    let exported = server.run(&["export"]).exits(0).objects();
    let params: Vec<u64> = exported.iter().map(|line| line["params"].as_u64().unwrap()).collect();
    assert_eq!(params, (0..2_000).collect::<Vec<u64>>());
    assert_eq!(server.run(&["list", "--limit", "1500", "--json"]).exits(0).objects().len(), 1_500);
}

/// `taskctl export | head` ended with a panic and a trace in other programs of this kind.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let server = Server::start(&[]);
    let text: String =
        (0..500).map(|n| format!("{{\"task\": \"double\", \"params\": \"{n:0>1000}\"}}\n")).collect();
    server.run_with(&["import", "-"], &text).exits(0);
    let mut child =
        server.command(&["export"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output().unwrap()).exits(0);
    assert!(!ran.err.contains("error"), "{}", ran.err);
}
