//! A redis-server of a test's own, and `taskctl` on it.

use std::{
    io::Write as _,
    net::TcpListener,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use task_core::{
    Claim, Failure, FailureKind, Incarnation, Name, Outcome, Queue as _, Registration, SettleRequest,
    Settlement, encode,
};
use task_queue_redis::RedisQueue;

/// It ends with the test, by its process id.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    _dir: tempfile::TempDir,
}

impl Server {
    /// On a free port. Another test may take the port first: then this server ends at once, and another port is tried.
    pub(crate) fn start(args: &[&str]) -> Self {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            let port = free_port();
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
            let mut server = Self { child, url: format!("127.0.0.1:{port}"), _dir: dir };
            while Instant::now() < end && server.child.try_wait().unwrap().is_none() {
                if std::fs::read_to_string(&log).unwrap_or_default().contains("Ready to accept connections") {
                    return server;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        panic!("no redis-server got ready within 20 s")
    }

    /// Runs `taskctl` with these words.
    #[track_caller]
    pub(crate) fn run(&self, line: &[&str]) -> Ran {
        Ran::of(self.command(line).output().unwrap())
    }

    /// The same with a text on stdin.
    #[track_caller]
    pub(crate) fn run_with(&self, line: &[&str], stdin: &str) -> Ran {
        let mut command = self.command(line);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }

    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = taskctl(line);
        command.env("TASK_QUEUE", &self.url);
        command
    }

    pub(crate) async fn queue(&self) -> RedisQueue {
        RedisQueue::connect(&self.url).await.unwrap()
    }

    /// Ends the next `n` tasks of the queue `tasks`, each as told by its params: a number is returned doubled, and
    /// anything else fails for good.
    pub(crate) async fn work(&self, n: usize) {
        let (queue, worker) = (self.queue().await, Incarnation::new());
        let registration = Arc::new(Registration::new("worker_1", ["double".parse::<Name>().unwrap()]));
        let mut done = 0;
        for number in 1.. {
            if done == n {
                break;
            }
            let mut claim = Claim::new(Name::DEFAULT_QUEUE, worker, registration.clone(), number);
            claim.wait = Duration::from_secs(10);
            for delivery in queue.dequeue(claim).await.unwrap().tasks {
                let params = delivery.message.as_ref().unwrap().params.clone();
                let outcome = match task_core::decode::<u64>(&params) {
                    Ok(number) => Outcome::Completed { result: encode(&(number * 2)).unwrap().into() },
                    Err(error) => Outcome::Failed {
                        error: Failure::new(FailureKind::Fatal, format!("no number: {error}")),
                    },
                };
                let end = vec![Settlement::new(delivery, outcome)];
                queue.settle(SettleRequest::new(Name::DEFAULT_QUEUE, end)).await.unwrap();
                done += 1;
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

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `taskctl` with these words, and nothing of the environment that it reads.
pub(crate) fn taskctl(line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskctl"));
    for variable in
        ["TASK_QUEUE", "REDIS_URL", "REDIS_HOST", "REDIS_PASSWORD", "REDIS_PASSWORD_FILE", "LOG_LEVEL"]
    {
        command.env_remove(variable);
    }
    command.args(line).stdin(Stdio::null());
    command
}

/// How it ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn of(output: Output) -> Self {
        let ran = Self {
            code: output.status.code().expect("it exits by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "`{word}` is missing in {self:?}");
        }
        self
    }

    /// Its lines on stdout as JSON.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
            .collect()
    }
}
