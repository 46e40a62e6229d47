use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::server::{Ran, Server};

/// The example runs as it stands, from any folder.
fn python(words: &[&str]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python-producer/enqueue.py");
    Ran::of(Command::new("python3").arg(script).args(words).output().expect("python3 is installed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_python_wrote_runs_and_is_the_same_task_as_ours() {
    let server = Server::start(&[]);
    let redis = server.url();
    let enqueue = |id, params| python(&["--redis", &redis, "--id", id, "double", params]).exits(0);
    enqueue("a", "21").says(&["a queued"]);
    enqueue("a", "21").says(&["it was there already"]);
    // by its fingerprint: the params have the same bytes
    server.run(&["enqueue", "double", "21", "--id", "a"]).exits(0).says(&["there already"]);
    let uuid = "0190163d-8694-739b-aea5-966c26f8ad91";
    enqueue(uuid, "4").says(&["queued"]);
    server.work(2).await;
    assert_eq!(server.run(&["result", "a"]).exits(0).out, "42\n");
    assert_eq!(server.run(&["result", uuid]).exits(0).out, "8\n");
    assert_eq!(server.run(&["--json", "queues"]).exits(0).objects()[0]["queue"], "tasks");
}

#[test]
fn whatever_json_can_say_comes_from_python_as_it_was() {
    let server = Server::start(&[]);
    let long = "ü".repeat(70_000);
    let params = json!({
        "kinds": [null, true, false, 2.5, "", []],
        "numbers": [0, 127, 128, 65_536, u64::MAX, -1, -32, -33, -129, -40_000, i64::MIN],
        "texts": ["x".repeat(31), "x".repeat(32), "x".repeat(256), &long[..8]],
        "list": (0..20).collect::<Vec<u8>>(),
        "map": (0..20).map(|n| (format!("key {n}"), Value::Null)).collect::<serde_json::Map<_, _>>(),
    });
    python(&["--redis", &server.url(), "--id", "a", "kinds", &params.to_string()]).exits(0);
    let status = server.run(&["--json", "status", "a"]).exits(0).objects().remove(0);
    assert!(status["enqueued_at"].as_str().unwrap() > "2025", "{status}");
    let exported = server.run(&["export"]).exits(0).objects().remove(0);
    assert_eq!((&exported["task"], &exported["params"]), (&"kinds".into(), &params));
    // and in the form that the vectors have: the shortest
    let line = json!({"task": "kinds", "id": "a", "params": params}).to_string();
    let again = server.run_with(&["--json", "import", "-"], &line).exits(0).objects().remove(0);
    assert_eq!(again["already_there"], 1);
}
