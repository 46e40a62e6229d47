//! A redis-server of the test's own, ended by its process id.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use task_queue_redis::RedisQueue;

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Starts one on a free loopback port. Another test may take the port first: then this server ends at once, and the
    /// next port is tried, since a test that speaks to another test's server fails for no reason of its own.
    pub(crate) fn start(args: &[&str]) -> Self {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if let Some(server) = Self::try_start(args, end) {
                return server;
            }
        }
        panic!("no redis-server got ready within 20 s")
    }

    fn try_start(args: &[&str], end: Instant) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(dir.path())
            .arg("--logfile")
            .arg(&log)
            .args(args)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let mut server = Self { child, port, _dir: dir };
        while Instant::now() < end && server.child.try_wait().unwrap().is_none() {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if text.contains("Ready to accept connections") {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Speaks to it by hand, as a person would with redis-cli; answers its lines.
    pub(crate) fn say(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let said = Command::new("redis-cli")
            .args(["-p", &port])
            .args(words)
            .output()
            .expect("redis-cli is installed");
        let answer = String::from_utf8_lossy(&said.stdout).trim_end().to_owned();
        assert!(said.status.success(), "redis-cli {words:?}: {answer}");
        answer
    }

    /// Waits until so many of the clients of this name are in this command.
    pub(crate) async fn see(&self, name: &str, command: &str, clients: usize) {
        let (name, command) = (format!(" name=task-queue:{name} "), format!(" cmd={command} "));
        let seen = |line: &&str| line.contains(&name) && line.contains(&command);
        crate::stage::until(&format!("{clients} clients with{name}in{command}"), || async {
            (self.say(&["client", "list"]).lines().filter(seen).count() == clients).then_some(())
        })
        .await;
    }

    /// A queue on it, once it answers.
    pub(crate) async fn queue(&self) -> RedisQueue {
        let url = format!("127.0.0.1:{}", self.port);
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            match RedisQueue::connect(&url).await {
                Ok(queue) => return queue,
                Err(error) if Instant::now() > end => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
