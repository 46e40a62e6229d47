//! How long it takes until what a fault has stopped goes on. The bounds are for a machine that does much else; what it
//! took is printed.

use std::time::Duration;

use chaos::{Event, Line, now};
use serde_json::json;
use task_core::{TaskHandle, TaskQueue};
use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;
use task_tests::{PATIENCE, eventually};

use crate::{book::Book, crew::Crew, fleet::Fleet, run::ALWAYS, scale::SMALL, system};

/// Processes with a server of their own, and nothing to do but what they are given.
struct Service {
    server: RedisServer,
    fleet: Fleet,
    book: Book,
    queue: TaskQueue,
}

impl Service {
    async fn start() -> Self {
        let server = RedisServer::start(ALWAYS);
        let fleet = Fleet::start(Crew::new(&server.url(), SMALL.concurrency, false));
        let queue = TaskQueue::new(RedisQueue::connect(&server.url()).await.unwrap());
        Self { server, book: Book::new(fleet.crew.ledger()), fleet, queue }
    }

    /// A task that runs for longer than it takes to kill its process.
    async fn enqueue(&self, id: &str) -> TaskHandle<u32> {
        let slow = self.queue.enqueue_named("slow", &json!({"millis": 3000}));
        slow.id(id.parse().unwrap()).await.unwrap()
    }

    /// The start of this claim.
    fn start_of(&mut self, id: &str, attempt: u32) -> Line {
        eventually(&format!("{id} runs for the {attempt}. time"), || {
            self.book.read().unwrap();
            let is = |line: &&Line| line.id == id && line.attempt == attempt && line.event == Event::Start;
            self.book.lines.iter().find(is).cloned()
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_worker_that_dies_under_its_orchestrator_run_again_within_a_second() {
    let (mut service, mut took) = (Service::start().await, Vec::new());
    for id in (0..).map(|number| format!("t{number}")) {
        let task = service.enqueue(&id).await;
        let pid = service.start_of(&id, 1).pid;
        if !service.fleet.lone_workers().contains(&pid) {
            let killed = now();
            system::kill(pid);
            took.push(Duration::from_micros(service.start_of(&id, 2).at - killed));
        }
        task.result(PATIENCE).await.unwrap();
        if took.len() == 3 {
            break;
        }
    }
    took.sort_unstable();
    println!("from kill -9 of a worker until its task ran again: {took:?}");
    assert!(took[1] < Duration::from_secs(1), "{took:?}");
    assert!(took[2] < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_host_that_disappears_run_again_once_the_leases_have_ended() {
    let mut service = Service::start().await;
    let ids = ["a", "b", "c", "d", "e", "f"];
    for id in ids {
        service.enqueue(id).await;
    }
    ids.iter().for_each(|id| drop(service.start_of(id, 1)));
    let killed = now();
    service.fleet.kill_all();
    let again = ids.map(|id| Duration::from_micros(service.start_of(id, 2).at - killed));
    println!("from kill -9 of orchestrator and workers until their tasks ran again: {again:?}");
    let longest = *again.iter().max().unwrap();
    assert!(longest > Duration::from_secs(8), "a lease lasts longer: {again:?}");
    assert!(longest < Duration::from_secs(18), "{again:?}"); // 15 on a machine that is not busy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_and_apps_go_on_within_two_seconds_of_the_return_of_their_server() {
    let mut service = Service::start().await;
    let held = service.enqueue("held").await;
    service.start_of("held", 1);
    let mut took = Vec::new();
    for round in 0..3 {
        service.server.kill();
        let id = format!("after-{round}");
        // an app that enqueues while the server is away
        let enqueueing = tokio::spawn({
            let queue = service.queue.clone();
            let quick = queue.enqueue_named::<u32>("quick", &json!({"pad": ""})).id(id.parse().unwrap());
            async move { quick.await.map(|_| now()) }
        });
        tokio::time::sleep(Duration::from_millis(1500)).await; // that long is the outage
        service.server.start_again();
        let back = now();
        let enqueued = enqueueing.await.unwrap().unwrap();
        let ran = service.start_of(&id, 1).at;
        took.push([enqueued, ran].map(|at| Duration::from_micros(at.saturating_sub(back))));
    }
    println!("from the server's return until a task was enqueued, and until it ran: {took:?}");
    held.result(PATIENCE).await.unwrap();
    let record = held.message().await.unwrap().unwrap();
    assert_eq!((record.attempts, record.crashes), (1, 0), "a live task is not run again for it");
    assert!(took.iter().flatten().all(|took| *took < Duration::from_secs(5)), "{took:?}"); // 2 on one that is not busy
}
