//! A redis-server of the test's own, ended by its process id.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use task_queue_redis::RedisQueue;

pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    dir: tempfile::TempDir,
    args: Vec<String>,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
        let (port, dir) = (free_port(), tempfile::tempdir().unwrap());
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let child = spawn(port, dir.path(), &args);
        let mut server = Self { child, port, dir, args };
        server.gets_ready(end).then_some(server)
    }

    fn gets_ready(&mut self, end: Instant) -> bool {
        let log = self.dir.path().join("log");
        while Instant::now() < end && self.child.try_wait().unwrap().is_none() {
            if std::fs::read_to_string(&log).unwrap_or_default().contains("Ready to accept connections") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Ends it as its operator does; what it persists is kept.
    pub(crate) fn stop(&mut self) {
        let port = self.port.to_string();
        // it closes the connection in place of an answer
        Command::new("redis-cli").args(["-p", &port, "shutdown"]).output().expect("redis-cli is installed");
        self.child.wait().unwrap();
        std::fs::remove_file(self.dir.path().join("log")).unwrap();
    }

    /// Starts it again on its port, with what it persisted.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, self.dir.path(), &self.args);
        assert!(self.gets_ready(Instant::now() + Duration::from_secs(20)), "it starts again");
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

    /// A queue on it.
    pub(crate) async fn queue(&self) -> RedisQueue {
        RedisQueue::connect(&format!("127.0.0.1:{}", self.port)).await.unwrap()
    }
}

fn spawn(port: u16, dir: &Path, args: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--logfile", "log", "--dir"])
        .arg(dir)
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
