//! A redis-server of a test's own, and `taskctl` on it.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use task_core::{
    Claim, Failure, FailureKind, Incarnation, Name, Outcome, Queue as _, Registration, SettleRequest,
    Settlement, encode,
};
use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;

pub(crate) struct Server(RedisServer);

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self(RedisServer::start(args))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
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
        command.env("TASK_QUEUE", self.url());
        command
    }

    pub(crate) async fn queue(&self) -> RedisQueue {
        RedisQueue::connect(&self.url()).await.unwrap()
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
