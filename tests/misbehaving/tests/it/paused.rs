//! A worker without orchestrator that is told to claim nothing more (TSTP), and then something else, at every moment.

use std::{fs, os::unix::net::UnixDatagram};

use rustix::process::Signal;
use serde_json::json;
use task_core::{Queue as _, TaskQueue, TaskStatus, Timestamp};
use task_testkit::RedisServer;
use task_tests::{Folder, PATIENCE, Running, eventually, line_of};

use crate::{assert_accounted, echo, enqueue, folder, queue, record};

const PAUSED: &str = "STATUS=paused: nothing is claimed";
const WORKING: &str = "STATUS=working";

struct Paused {
    server: RedisServer,
    folder: Folder,
    queue: TaskQueue,
    running: Running,
    ear: UnixDatagram,
}

impl Paused {
    /// It runs the task `a`, and was told to pause.
    async fn open() -> Self {
        let server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
        let folder = folder();
        let queue = queue(&server).await.deadline(PATIENCE);
        let ear = UnixDatagram::bind(folder.path("ear")).unwrap();
        ear.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = folder.command("");
        command.env("TASK_ROLE", "worker").env("TASK_QUEUE", server.url()).env("TASK_GRACE", "100ms");
        command.env("NOTIFY_SOCKET", folder.path("ear"));
        let running = folder.spawn(command);
        let this = Self { server, folder, queue, running, ear };
        enqueue(&this.queue, "wait_for", "a", json!({"file": "go"})).await;
        line_of(&this.folder.path("a.1"));
        this.running.signal(Signal::TSTP);
        this.hears(PAUSED);
        this
    }

    fn hears(&self, word: &str) {
        let mut buffer = [0; 256];
        loop {
            let length = self.ear.recv(&mut buffer).expect("it says something");
            if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == word) {
                return;
            }
        }
    }

    async fn last_sign_of_life(&self) -> Timestamp {
        let stats = self.queue.stats(&"tasks".parse().unwrap()).await.unwrap();
        stats.workers.first().expect("it is alive").seen
    }

    /// Until it has shown so often that it is alive.
    async fn beats(&self, times: u32) {
        for _ in 0..times {
            let last = self.last_sign_of_life().await;
            let end = tokio::time::Instant::now() + PATIENCE;
            while self.last_sign_of_life().await == last {
                assert!(tokio::time::Instant::now() < end, "it is not alive");
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_worker_finishes_what_it_runs_takes_nothing_more_and_goes_on_when_it_is_told_to() {
    let paused = Paused::open().await;
    paused.beats(2).await; // a claim that was under way has been answered by then
    let b = echo(&paused.queue, "b").await;
    fs::write(paused.folder.path("go"), "").unwrap();
    let a = enqueue(&paused.queue, "wait_for", "a", json!({"file": "go"})).await;
    a.result(PATIENCE).await.unwrap();
    paused.beats(2).await;
    assert_eq!(record(&b).await.status, TaskStatus::Pending);
    paused.running.signal(Signal::CONT);
    paused.hears(WORKING);
    b.result(PATIENCE).await.unwrap();
    assert_accounted(&record(&b).await);
    paused.running.signal(Signal::TERM);
    assert_eq!(paused.running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_worker_that_is_told_to_stop_gives_back_what_it_runs() {
    for then in
        [&[Signal::TERM][..], &[Signal::INT], &[Signal::TERM, Signal::TERM], &[Signal::CONT, Signal::TERM]]
    {
        let paused = Paused::open().await;
        let a = enqueue(&paused.queue, "wait_for", "a", json!({"file": "go"})).await;
        then.iter().for_each(|signal| paused.running.signal(*signal));
        let ran = paused.running.end();
        assert_eq!(ran.code, Some(0), "{then:?}: {}", ran.stderr);
        let record = record(&a).await;
        let found = (record.status, record.releases, record.crashes);
        assert_eq!(found, (TaskStatus::Pending, 1, 0), "{then:?}: {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_paused_while_its_queue_was_away_goes_on_when_both_are_back() {
    let mut paused = Paused::open().await;
    let a = enqueue(&paused.queue, "wait_for", "a", json!({"file": "go"})).await;
    paused.server.kill();
    fs::write(paused.folder.path("go"), "").unwrap(); // it ends with nobody to tell it to
    eventually("it says that the queue is away", || {
        paused.running.stderr().contains("the queue did not answer").then_some(())
    });
    paused.server.start_again();
    a.result(PATIENCE).await.unwrap();
    assert_accounted(&record(&a).await);
    let b = echo(&paused.queue, "b").await;
    paused.running.signal(Signal::CONT);
    b.result(PATIENCE).await.unwrap();
    assert_accounted(&record(&b).await);
    paused.running.signal(Signal::TERM);
    assert_eq!(paused.running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_ended_by_quit_loses_its_lease_and_what_it_ran_runs_elsewhere() {
    let paused = Paused::open().await;
    let a = enqueue(&paused.queue, "wait_for", "a", json!({"file": "go"})).await;
    paused.running.signal(Signal::QUIT);
    assert_eq!(paused.running.end().code, None, "nothing of ours acts on it");
    fs::write(paused.folder.path("go"), "").unwrap();
    let next = paused.folder.start(&format!("-n 1 --no-monitoring -q {}", paused.server.url()));
    a.result(PATIENCE).await.unwrap();
    let record = record(&a).await;
    assert_accounted(&record);
    assert_eq!((record.attempts, record.crashes), (2, 1), "{}", next.stderr());
    next.signal(Signal::TERM);
    assert_eq!(next.end().code, Some(0));
}
