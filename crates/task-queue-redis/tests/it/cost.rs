//! What tasks and workers cost in commands and round trips.

use std::time::Duration;

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{server::Server, stage::*};

/// The number behind a name in what INFO says of this section.
fn info(server: &Server, section: &str, before: &str) -> u64 {
    let text = server.say(&["info", section]);
    let value = text.lines().find_map(|line| line.strip_prefix(before));
    value.and_then(|value| value.split(',').next()?.trim().parse().ok()).unwrap_or(0)
}

pub(crate) fn calls(server: &Server, command: &str) -> u64 {
    info(server, "commandstats", &format!("cmdstat_{command}:calls="))
}

/// How often the server has read from a client: once a write that a client sent alone.
fn reads(server: &Server) -> u64 {
    info(server, "stats", "total_reads_processed:")
}

/// What a question for the number of reads itself adds to it.
fn own_reads(server: &Server) -> u64 {
    let before = reads(server);
    reads(server) - before
}

/// Ends all of these, and claims so many more in the same step.
async fn settle_and_claim(
    queue: &RedisQueue,
    got: Vec<std::sync::Arc<Delivery>>,
    mut claim: Claim,
    tasks: usize,
) -> Vec<std::sync::Arc<Delivery>> {
    claim.max_tasks = tasks;
    let settlements = got.into_iter().map(|delivery| Settlement::new(delivery, completed())).collect();
    let reply = queue.settle(SettleRequest::new(Q, settlements).then(claim)).await.unwrap();
    assert!(reply.answers.iter().all(|answer| *answer == SettleAnswer::Done));
    reply.claimed.unwrap().unwrap().tasks
}

/// Claims and settles so many at once until nothing is left; answers the round trips of it.
async fn drain(queue: &RedisQueue, server: &Server, tasks: usize) -> u64 {
    let worker = Incarnation::new();
    // its registration, and the scripts, are there
    assert_eq!(settle_and_claim(queue, Vec::new(), claim(worker, 1), 0).await.len(), 0);
    let own = own_reads(server);
    let before = reads(server);
    let (mut number, mut got) = (2, Vec::new());
    loop {
        got = settle_and_claim(queue, got, claim(worker, number), tasks).await;
        number += 1;
        if got.is_empty() {
            return reads(server) - before - own;
        }
    }
}

#[tokio::test]
async fn a_task_costs_one_round_trip_under_backlog_and_a_fiftieth_at_depth() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put_many(&queue, "t", 100, options()).await;
    let trips = drain(&queue, &server, 1).await;
    // one that finds nothing, too; the text of a script, which goes once, may be read in parts
    assert!((101..=103).contains(&trips), "{trips}");
    put_many(&queue, "u", 1000, options()).await;
    let trips = drain(&queue, &server, 100).await;
    // ten, and one that finds nothing; what is longer than the server's buffer is read in two
    assert!(trips <= 22, "{trips}");
}

#[tokio::test]
async fn a_task_that_comes_to_an_idle_worker_costs_two_round_trips_besides_its_enqueue() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    put(&queue, "first", options()).await;
    settle_and_claim(&queue, Vec::new(), claim(worker, 1), 1).await;
    let own = own_reads(&server);
    let before = reads(&server);
    for n in 0..10 {
        put(&queue, &format!("t{n}"), options()).await;
        let got = queue.dequeue(claim(worker, 2 * n + 2)).await.unwrap().tasks;
        assert_eq!(got.len(), 1);
        assert_eq!(settle_and_claim(&queue, got, claim(worker, 2 * n + 3), 1).await.len(), 0);
    }
    assert_eq!(reads(&server) - before - own, 30);
}

/// Every use of a pooled connection asked it first whether it lives, which doubled what the server had to do.
#[tokio::test]
async fn a_busy_client_sends_its_scripts_and_nothing_else() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    put(&queue, "first", options()).await;
    server.say(&["config", "resetstat"]);
    for n in 1..=100 {
        put(&queue, &format!("t{n}"), options()).await;
        let got = queue.dequeue(claim(worker, n)).await.unwrap().tasks;
        settle(&queue, &got[0], completed()).await;
    }
    // three calls a task, and one more by which the worker registers
    assert_eq!((calls(&server, "evalsha"), calls(&server, "eval")), (301, 2));
    assert_eq!((calls(&server, "ping"), calls(&server, "unwatch")), (0, 0));
}

/// A wait of a heartbeat was two beats, and each call of an idle worker asked first whether its connection lives: three
/// commands every two seconds, where one a second is allowed.
#[tokio::test]
async fn an_idle_worker_beats_once_in_each_wait_and_asks_for_nothing_else() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    let mut sign = beat(worker);
    queue.heartbeat(sign.clone()).await.unwrap();
    server.say(&["config", "resetstat"]);
    sign.wait = Duration::from_millis(1100);
    for _ in 0..2 {
        queue.heartbeat(sign.clone()).await.unwrap();
    }
    assert_eq!(calls(&server, "evalsha"), 2);
    assert_eq!((calls(&server, "ping"), calls(&server, "eval"), calls(&server, "client|setname")), (0, 0, 0));
}

/// Each beat of a worker whose server was ill made a connection, five times a second.
#[tokio::test]
async fn a_heartbeat_that_is_refused_keeps_its_connection() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let sign = beat(Incarnation::new());
    server.say(&["set", "tf:{tasks}:leases", "foreign"]);
    assert!(matches!(queue.heartbeat(sign.clone()).await, Err(QueueError::Corrupt(_))));
    server.say(&["config", "resetstat"]);
    for _ in 0..3 {
        queue.heartbeat(sign.clone()).await.unwrap_err();
    }
    assert_eq!(calls(&server, "client|setname"), 0);
}

#[tokio::test]
async fn a_claim_that_waits_in_vain_costs_one_call_of_a_script_at_most() {
    // it looked once more when its time was over, and whoever had called claimed anew at once
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    queue.dequeue(claim(worker, 1)).await.unwrap();
    for looks in [0, 1] {
        let before = calls(&server, "evalsha");
        let mut waits = claim(worker, 1);
        waits.wait = Duration::from_millis(300);
        let claimed = queue.dequeue(waits).await.unwrap();
        assert_eq!((claimed.tasks.len(), calls(&server, "evalsha") - before), (0, looks));
    }
}

/// A worker without work looked every five seconds, though its heartbeats had looked meanwhile.
#[tokio::test]
async fn a_claim_that_waited_in_vain_need_not_look_if_its_worker_beats() {
    let server = Server::start(&[]);
    let (queue, worker) = (server.queue().await, Incarnation::new());
    let beats = queue.detached().await.unwrap().unwrap();
    queue.dequeue(claim(worker, 1)).await.unwrap();
    let looks = async || {
        let before = calls(&server, "evalsha");
        let mut waits = claim(worker, 1);
        waits.wait = Duration::from_millis(200);
        assert_eq!(queue.dequeue(waits).await.unwrap().tasks.len(), 0);
        calls(&server, "evalsha") - before
    };
    assert_eq!(looks().await, 0, "the claim before it has looked");
    beats.heartbeat(beat(worker)).await.unwrap();
    assert_eq!(looks().await, 1);
    assert_eq!(looks().await, 0);
    // what its heartbeats do not look for, it looks for itself
    queue.control(&Q, Command::Pause).await.unwrap();
    put(&queue, "a", options()).await;
    let mut waits = claim(worker, 1);
    waits.wait = Duration::from_millis(200);
    assert_eq!(queue.dequeue(waits).await.unwrap().tasks.len(), 0);
    assert_eq!(looks().await, 1, "while the queue is paused");
}

/// Each claim that waits looked first, also right after one that had taken all there was.
#[tokio::test]
async fn a_claim_that_waits_after_one_that_left_nothing_does_not_look_again() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    let waits = |number| {
        let mut claim = claim(worker, number);
        (claim.wait, claim.idle) = (Duration::from_secs(4), false);
        claim
    };
    put(&queue, "first", options()).await;
    work(&queue, worker, 1, &completed()).await;
    let before = calls(&server, "evalsha");
    for number in 2..12 {
        let waiting = tokio::spawn({
            let (queue, claim) = (queue.clone(), waits(number));
            async move { queue.dequeue(claim).await }
        });
        server.see("waits", "blpop", 1).await;
        put(&queue, &format!("t{number}"), options()).await;
        let got = soon("it is woken", waiting).await.unwrap().unwrap().tasks;
        settle(&queue, &got[0], completed()).await;
    }
    assert_eq!(calls(&server, "evalsha") - before, 30, "enqueue, claim and end of each");
    // what a claim left is claimed at once
    put_many(&queue, "left", 2, options()).await;
    for number in 12..14 {
        assert_eq!(queue.dequeue(waits(number)).await.unwrap().tasks.len(), 1);
    }
}

#[tokio::test]
async fn a_result_comes_with_the_news_of_it_and_a_long_one_is_looked_for() {
    let server = Server::start(&[]);
    let (queue, other, worker) = (server.queue().await, server.queue().await, Incarnation::new());
    put(&queue, "first", options()).await;
    work(&queue, worker, 1, &completed()).await;
    for (number, text, length, looks_again) in [(2, "short", 50, 0), (3, "long", 500, 1)] {
        put(&queue, text, options()).await;
        let waits = tokio::spawn({
            let (other, id) = (other.clone(), id(text));
            async move { other.wait(&Q, &id, Duration::from_secs(30)).await }
        });
        let waiting = || async { (server.say(&["scard", "tf:{tasks}:waiting"]) == "1").then_some(()) };
        until("it waits", waiting).await;
        let before = calls(&server, "evalsha");
        work(&queue, worker, number, &Outcome::Completed { result: vec![7; length].into() }).await;
        let found = soon("it hears of it", waits).await.unwrap().unwrap().into_found().unwrap();
        assert_eq!(calls(&server, "evalsha") - before, 2 + looks_again, "claim, end, and this look: {text}");
        assert_eq!(found, record(&queue, text).await);
    }
}
