//! Sentinels say where the primary is, also after it has moved.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{
    server::{Server, free_port},
    stage::*,
};

/// A sentinel of the test's own, ended by its process id.
struct Sentinel {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Sentinel {
    /// One that watches this primary as `main`, and never moves it by itself.
    async fn watching(primary: &Server) -> Self {
        let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
        let settings = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", dir.path().display()),
            format!("sentinel monitor main 127.0.0.1 {} 1", primary.port),
            "sentinel down-after-milliseconds main 600000".to_owned(),
        ];
        let file = dir.path().join("sentinel.conf");
        std::fs::write(&file, settings.join("\n")).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdout(Stdio::null());
        let sentinel = Self { child: command.spawn().expect("redis-server is installed"), port, _dir: dir };
        until("the sentinel answers", || async { (sentinel.say(&["ping"]) == "PONG").then_some(()) }).await;
        sentinel
    }

    fn say(&self, words: &[&str]) -> String {
        let said = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output();
        String::from_utf8_lossy(&said.expect("redis-cli is installed").stdout).trim_end().to_owned()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A client went on with the server that it had found at connect, which refused everything since it was a replica.
#[tokio::test]
async fn work_goes_on_with_the_primary_that_a_replica_has_become() {
    let at_once = ["--repl-diskless-sync-delay", "0"];
    let (first, second) = (Server::start(&at_once), Server::start(&at_once));
    second.say(&["replicaof", "127.0.0.1", &first.port.to_string()]);
    let sentinel = Sentinel::watching(&first).await;
    let nobody = free_port();
    // it takes the connection and says nothing, as one whose machine has died: nobody is to wait for it
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|at| (silent, at.port())).unwrap();
    let hosts = [silent.1, silent.1, silent.1, nobody, sentinel.port].map(|port| format!("127.0.0.1:{port}"));
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    let queue = RedisQueue::connect(&url).await.unwrap();
    put(&queue, "before", options()).await;
    let waits = tokio::spawn({
        let queue = queue.clone();
        async move {
            let mut claim = Claim::new(Q, Incarnation::new(), registration(&["other"]), 1);
            claim.wait = Duration::from_secs(30);
            queue.dequeue(claim).await
        }
    });
    let got = queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap().tasks;
    let offset = |server: &Server| server.say(&["info", "replication"]);
    until("the replica has all", || async {
        let (ours, theirs) = (offset(&first), offset(&second));
        let of = |text: &str, name: &str| {
            text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        let (sent, taken) = (of(&ours, "master_repl_offset:"), of(&theirs, "slave_repl_offset:"));
        (theirs.contains("master_link_status:up") && sent == taken).then_some(())
    })
    .await;

    second.say(&["replicaof", "no", "one"]);
    first.say(&["replicaof", "127.0.0.1", &second.port.to_string()]);
    sentinel.say(&["sentinel", "remove", "main"]);
    sentinel.say(&["sentinel", "monitor", "main", "127.0.0.1", &second.port.to_string(), "1"]);
    let mut refused = 0;
    while let Err(error) = queue.enqueue(Batch::new(Q, vec![named(EXTRACT, "after", options())])).await {
        assert!(error.is_transient(), "{error}");
        refused += 1;
        assert!(refused < 5, "{error}");
    }
    assert_eq!(settle(&queue, &got[0], completed()).await, SettleAnswer::Done);
    assert_eq!(second.say(&["hlen", "tf:{tasks}:tasks"]), "2");
    if let Err(error) = waits.await.unwrap() {
        assert!(error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn sentinels_that_do_not_know_the_primary_are_told_with_its_name() {
    let server = Server::start(&[]);
    let sentinel = Sentinel::watching(&server).await;
    for (place, told) in [
        (format!("127.0.0.1:{}/other", sentinel.port), "watches no primary called `other`"),
        (format!("127.0.0.1:{}/main", free_port()), "Connection refused"),
    ] {
        let error = RedisQueue::connect(&format!("redis+sentinel://{place}")).await.unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, QueueError::Unreachable(_)), "{words}");
        assert!(words.contains(&place) && words.contains(told), "{words}");
    }
}
