use task_core::{Command, Name, Queue as _};

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_enqueued_looked_at_run_and_its_result_printed() {
    let server = Server::start(&[]);
    let id = server.run(&["enqueue", "double", "21", "--id", "a", "--delay", "0.01"]).exits(0).out;
    assert_eq!(id, "a\n");
    server.run(&["result", "a"]).exits(5).says(&["PENDING", "--wait", "explain"]);
    server.run(&["explain", "a"]).exits(0).says(&["PENDING: no worker of this queue is alive"]);
    let status = server.run(&["status", "a", "--json"]).exits(0).objects().remove(0);
    assert_eq!((&status["status"], &status["task"]), (&"PENDING".into(), &"double".into()));
    // sent again it is the same task
    server
        .run(&["enqueue", "double", "21", "--id", "a", "--delay", "0.01"])
        .exits(0)
        .says(&["there already"]);

    server.work(1).await;
    assert_eq!(server.run(&["result", "a"]).exits(0).out, "42\n");
    server.run(&["status", "a"]).exits(0).says(&["COMPLETED", "worker_1"]);
    let result = server.run(&["--json", "result", "a"]).exits(0).objects().remove(0);
    assert_eq!((&result["result"], &result["attempts"]), (&42.into(), &1.into()));
    server.run(&["list"]).exits(0).says(&["COMPLETED", "double"]);
    server.run(&["workers"]).exits(0).says(&["worker_1", "double"]);
    server.run(&["stats"]).exits(0).says(&["COMPLETED", "redis 7"]);
    let stats = server.run(&["stats", "--json"]).exits(0).objects().remove(0);
    assert_eq!((&stats["completed"], &stats["totals"]["enqueued"]), (&1.into(), &1.into()));
    let queues = server.run(&["queues", "--json"]).exits(0).objects();
    assert_eq!((queues.len(), &queues[0]["queue"]), (1, &"tasks".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_result_with_a_failure_or_with_its_time() {
    let server = std::sync::Arc::new(Server::start(&[]));
    let run = |line: &'static [&'static str]| {
        let server = server.clone();
        tokio::task::spawn_blocking(move || server.run(line))
    };
    let waiting = run(&["enqueue", "double", "21", "--wait"]);
    server.work(1).await;
    assert_eq!(waiting.await.unwrap().exits(0).says(&["enqueued"]).out, "42\n");

    let waiting = run(&["--json", "enqueue", "double", "{\"no\": 1}", "--id", "b", "--wait", "30s"]);
    server.work(1).await;
    let objects = waiting.await.unwrap().exits(1).objects();
    let last = objects.last().unwrap();
    assert_eq!(
        (objects.len(), &last["status"], &last["error"]["kind"]),
        (2, &"FAILED".into(), &"fatal".into())
    );
    server.run(&["result", "b", "--wait"]).exits(1).says(&["FAILED at its first attempt: no number"]);

    server.run(&["enqueue", "double", "21", "--wait", "0.2"]).exits(5).says(&["PENDING"]);
}

#[test]
fn an_id_that_nobody_enqueued_is_no_such_task() {
    let server = Server::start(&[]);
    for verb in ["status", "result", "explain", "cancel", "replay", "delete"] {
        let ran = server.run(&[verb, "absent"]).exits(4).says(&["absent", "`tasks`"]);
        assert!(ran.out.is_empty(), "{ran:?}");
    }
    server.run(&["result", "absent", "--wait"]).exits(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_refuses_ends_with_six_and_says_why() {
    let server = Server::start(&[]);
    server.run(&["enqueue", "double", "1", "--id", "a", "--unique", "k"]).exits(0);
    server.run(&["enqueue", "double", "2", "--id", "a"]).exits(6).says(&["a", "other params", "--id"]);
    server.run(&["enqueue", "double", "2", "--unique", "k"]).exits(6).says(&["task a", "unique key"]);
    let wait =
        server.run(&["--json", "enqueue", "double", "2", "--unique", "k", "--wait"]).exits(6).objects();
    assert_eq!((wait.len(), &wait[0]["duplicate_of"]), (1, &"a".into()));
    server.run(&["replay", "a"]).exits(6).says(&["PENDING", "FAILED and CANCELLED"]);
    server.run(&["delete", "a"]).exits(6).says(&["PENDING", "cancel"]);
    server.queue().await.control(&Name::DEFAULT_QUEUE, Command::Limit(Some(1))).await.unwrap();
    server.run(&["enqueue", "double", "2"]).exits(6).says(&["full"]);
    // a full queue was told with a line for each of three thousand
    let lines = "{\"task\": \"double\"}\n".repeat(100);
    let refused =
        server.run_with(&["import", "-"], &lines).exits(6).says(&["lines ", "-100: the queue is full"]);
    assert!(refused.err.lines().count() < 20, "{}", refused.err);
    server.work(1).await;
    server.run(&["cancel", "a"]).exits(6).says(&["COMPLETED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stuck_is_mended() {
    let server = Server::start(&[]);
    server.run(&["pause", "tasks"]).exits(0).says(&["resume tasks"]);
    server.run(&["enqueue", "double", "1", "--id", "a"]).exits(0);
    server.run(&["explain", "a"]).exits(0).says(&["the queue is paused"]);
    server.run(&["resume", "tasks"]).exits(0);
    server.run(&["cancel", "a"]).exits(0).says(&["cancelled a"]);
    server.run(&["cancel", "a"]).exits(0).says(&["CANCELLED before"]);
    server.run(&["result", "a"]).exits(1).says(&["CANCELLED"]);
    server.run(&["replay", "a"]).exits(0);
    server.work(1).await;
    server.run(&["delete", "a"]).exits(0);
    server.run(&["status", "a"]).exits(4);

    for id in ["b", "c"] {
        server.run(&["enqueue", "double", "{}", "--id", id]).exits(0);
    }
    server.work(2).await;
    assert_eq!(server.run(&["list", "--state", "failed", "--json"]).exits(0).objects().len(), 2);
    server.run(&["replay", "--all-failed"]).exits(0).says(&["replayed 2 tasks"]);
    let purged = server.run(&["--json", "purge", "tasks", "--yes"]).exits(0).objects().remove(0);
    assert_eq!((&purged["answer"], &purged["tasks"]), (&"done".into(), &2.into()));
    server.run(&["list", "--state", "pending"]).exits(0).says(&["no such tasks"]);
}
