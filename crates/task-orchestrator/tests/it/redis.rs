//! A redis-server of the test's own, ended by its process id.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use task_core::TaskQueue;
use task_queue_redis::RedisQueue;

use crate::eventually;

pub(crate) struct Server {
    child: Child,
    port: u16,
    args: Vec<String>,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one on a free loopback port; another program may take the port first, then the next one is tried.
    pub(crate) fn start(args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        eventually("a redis-server is ready", || {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let folder = tempfile::tempdir().unwrap();
            let child = launch(port, &args, &folder)?;
            Some(Self { child, port, args: args.clone(), folder })
        })
    }

    /// As `-q` takes it.
    pub(crate) fn url(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// As a producer has it.
    pub(crate) async fn queue(&self) -> TaskQueue {
        TaskQueue::new(RedisQueue::connect(&self.url()).await.unwrap())
    }

    /// Sends it a command of its own command line.
    pub(crate) fn command(&self, words: &[&str]) {
        let sent = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output();
        assert!(sent.expect("redis-cli comes with redis-server").status.success());
    }

    /// As by a crash of the machine.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same server again, with what it kept.
    pub(crate) fn start_again(&mut self) {
        self.child = eventually("redis-server is back", || launch(self.port, &self.args, &self.folder));
    }
}

fn launch(port: u16, args: &[String], folder: &tempfile::TempDir) -> Option<Child> {
    let log = folder.path().join("log");
    std::fs::remove_file(&log).ok();
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path())
        .arg("--logfile")
        .arg(&log)
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end && child.try_wait().unwrap().is_none() {
        if std::fs::read_to_string(&log).unwrap_or_default().contains("Ready to accept connections") {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().ok();
    child.wait().ok();
    None
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
