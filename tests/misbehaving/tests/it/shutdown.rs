//! Every way to stop at every moment: it ends in time, nothing is lost, and nothing runs that is not accounted for.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use task_core::{TaskHandle, TaskQueue, TaskStatus};
use task_testkit::RedisServer;
use task_tests::{Folder, PATIENCE, Running, eventually, has_ended, line_of};

use crate::{assert_accounted, echo, enqueue, folder, queue, record};

/// What the orchestrator is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Term,
    Int,
    /// A second one, at once.
    TermTwice,
    /// A rolling restart, and TERM into it.
    HangUpThenTerm,
    /// It is gone; the workers learn it by their lifeline.
    Kill,
    /// The same: nothing of ours acts on it.
    Quit,
}

const ALL: [Sent; 6] = [Sent::Term, Sent::Int, Sent::TermTwice, Sent::HangUpThenTerm, Sent::Kill, Sent::Quit];

/// Plays a moment with each of them, all at once: what takes long is waiting.
fn with_each(moment: impl AsyncFn(Sent) + Copy + Send) {
    std::thread::scope(|scope| {
        for sent in ALL {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            scope.spawn(move || runtime.unwrap().block_on(moment(sent)));
        }
    });
}

/// A service on a Redis of its own.
struct Stage {
    server: RedisServer,
    folder: Folder,
    queue: TaskQueue,
    running: Running,
}

impl Stage {
    /// Its workers have run a task, and have nothing to do.
    async fn open() -> Self {
        Self::on(RedisServer::start(&[])).await
    }

    async fn on(server: RedisServer) -> Self {
        let folder = folder();
        let queue = queue(&server).await.deadline(PATIENCE);
        let running = folder.start(&line(&server));
        echo(&queue, "first").await.result(PATIENCE).await.unwrap();
        Self { server, folder, queue, running }
    }

    /// Sends it, and waits until all processes have ended.
    fn stop(self, sent: Sent) -> Stopped {
        let Self { server, folder, queue, running } = self;
        let start = Instant::now();
        let signals: &[Signal] = match sent {
            Sent::Term => &[Signal::TERM],
            Sent::Int => &[Signal::INT],
            Sent::TermTwice => &[Signal::TERM, Signal::TERM],
            Sent::HangUpThenTerm => &[Signal::HUP, Signal::TERM],
            Sent::Kill => &[Signal::KILL],
            Sent::Quit => &[Signal::QUIT],
        };
        signals.iter().for_each(|signal| running.signal(*signal));
        let ran = running.end();
        let ends_itself = !matches!(sent, Sent::Kill | Sent::Quit);
        assert_eq!(ran.code, ends_itself.then_some(0), "{sent:?}: {}", ran.stderr);
        for worker in workers(&ran.stderr) {
            eventually("each worker ends", || has_ended(&worker).then_some(()));
        }
        // the grace is no time at all; what remains is patience with a queue that is away
        assert!(start.elapsed() < Duration::from_secs(20), "{sent:?}: {:?}: {}", start.elapsed(), ran.stderr);
        Stopped { server, folder, queue, said: ran.stderr }
    }
}

fn line(server: &RedisServer) -> String {
    format!("-n 2 --no-monitoring -q {} --grace 100ms", server.url())
}

/// The numbers of the processes that were started.
fn workers(log: &str) -> Vec<String> {
    let pid = |line: &str| Some(line.split_once(" pid=")?.1.trim().to_owned());
    log.lines().filter(|line| line.contains("started")).filter_map(pid).collect()
}

struct Stopped {
    server: RedisServer,
    folder: Folder,
    queue: TaskQueue,
    said: String,
}

impl Stopped {
    /// Nothing is held by anybody any more, and nobody was blamed.
    async fn given_back(&self, tasks: &[TaskHandle<Value>], sent: Sent) {
        for task in tasks {
            let record = record(task).await;
            let free =
                matches!(record.status, TaskStatus::Pending | TaskStatus::Retry | TaskStatus::Completed);
            assert!(free && record.crashes == 0, "{sent:?}: {record:?}: {}", self.said);
        }
    }

    /// The same service again completes everything.
    async fn all_complete(self, tasks: &[TaskHandle<Value>]) {
        fs::write(self.folder.path("go"), "").unwrap();
        let running = self.folder.start(&line(&self.server));
        for task in tasks {
            task.result(2 * PATIENCE).await.unwrap();
            assert_accounted(&record(task).await);
        }
        running.signal(Signal::TERM);
        assert_eq!(running.end().code, Some(0));
        drop(self.queue);
    }
}

#[test]
fn idle() {
    with_each(async |sent| {
        let stage = Stage::open().await;
        let stopped = stage.stop(sent);
        let task = echo(&stopped.queue, "later").await;
        stopped.all_complete(&[task]).await;
    });
}

#[test]
fn while_tasks_run() {
    with_each(async |sent| {
        let stage = Stage::open().await;
        let mut tasks = Vec::new();
        for id in ["a", "b", "c"] {
            tasks.push(enqueue(&stage.queue, "wait_for", id, json!({"file": "go"})).await);
            line_of(&stage.folder.path(&format!("{id}.1")));
        }
        let stopped = stage.stop(sent);
        stopped.given_back(&tasks, sent).await;
        for task in &tasks {
            let record = record(task).await;
            // the other worker, which is about to stop as well, may have taken it at that moment, and given it back
            let released = (1..=2).contains(&record.releases) && record.attempts == record.releases;
            assert!(
                record.status == TaskStatus::Pending && released,
                "{sent:?}: {record:?}: {}",
                stopped.said
            );
        }
        stopped.all_complete(&tasks).await;
    });
}

#[test]
fn while_a_task_waits_to_be_tried_again() {
    with_each(async |sent| {
        let stage = Stage::open().await;
        let task = enqueue(&stage.queue, "fail_without", "a", json!({"file": "go"})).await;
        line_of(&stage.folder.path("a.1"));
        let waits = async || record(&task).await.status == TaskStatus::Retry;
        while !waits().await {
            tokio::task::yield_now().await;
        }
        let stopped = stage.stop(sent);
        let tasks = [task];
        stopped.given_back(&tasks, sent).await;
        assert_eq!(record(&tasks[0]).await.failures, 1);
        stopped.all_complete(&tasks).await;
    });
}

#[test]
fn while_many_tasks_are_claimed_and_settled() {
    with_each(async |sent| {
        let stage = Stage::open().await;
        let mut tasks = Vec::new();
        for i in 0..150 {
            tasks.push(echo(&stage.queue, &format!("t{i}")).await);
        }
        // some are settled, some are claimed, and others wait
        let more = stage.queue.clone();
        let arriving = tokio::spawn(async move {
            let mut tasks = Vec::new();
            for i in 0..150 {
                tasks.push(echo(&more, &format!("more{i}")).await);
            }
            tasks
        });
        let stopped = stage.stop(sent);
        tasks.extend(arriving.await.unwrap());
        stopped.given_back(&tasks, sent).await;
        stopped.all_complete(&tasks).await;
    });
}

#[test]
fn while_the_queue_is_away() {
    with_each(async |sent| {
        // with fsync each second, a server that is killed may have kept back what it acknowledged
        let server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
        let mut stage = Stage::on(server).await;
        let task = enqueue(&stage.queue, "wait_for", "a", json!({"file": "go"})).await;
        line_of(&stage.folder.path("a.1"));
        stage.server.kill();
        let mut stopped = stage.stop(sent);
        stopped.server.start_again();
        stopped.all_complete(&[task]).await;
    });
}
