//! Servers that go away, forget their scripts, or cut connections off.

use std::{sync::Arc, time::Duration};

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{server::Server, stage::*};

const LONG: Duration = Duration::from_secs(30);

/// Calls that fail for the moment are made again, as whoever uses a queue does.
async fn again<T, F: Future<Output = Result<T, QueueError>>>(what: &str, call: impl Fn() -> F) -> T {
    until(what, || async {
        match call().await {
            Ok(answer) => Some(answer),
            Err(error) if error.is_transient() => None,
            Err(error) => panic!("{what}: {error}"),
        }
    })
    .await
}

#[tokio::test]
async fn a_server_that_was_restarted_has_its_tasks_and_its_workers_keep_theirs() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let queue = server.queue().await;
    let (holder, other) = (Incarnation::new(), Incarnation::new());
    put(&queue, "held", options()).await;
    let held = queue.dequeue(claim(holder, 1)).await.unwrap().tasks;
    let mut parked = claim(other, 1);
    parked.wait = LONG;
    let (waits, listens) = (queue.clone(), queue.clone());
    let dequeue = tokio::spawn({
        let parked = parked.clone();
        async move { waits.dequeue(parked).await }
    });
    let wait = tokio::spawn(async move { listens.wait(&Q, &id("held"), LONG).await });
    server.see("waits", "blpop", 1).await;
    server.see("news", "subscribe", 1).await;
    server.stop();
    for error in [dequeue.await.unwrap().unwrap_err(), wait.await.unwrap().unwrap_err()] {
        assert!(error.is_transient(), "{error}");
    }
    let error = queue.stats(&Q).await.unwrap_err();
    assert!(matches!(error, QueueError::Unreachable(_)), "{error}");
    server.start_again();
    // away for longer than a lease: the first that calls must not take from those who had no chance to
    again("the clock is there", || queue.advance_clock(&Q, Duration::from_secs(60), false)).await;
    let nothing = again("a claim", || queue.dequeue(claim(other, 1))).await;
    assert_eq!(nothing.tasks.len(), 0, "it was taken from its worker");
    put(&queue, "new", options()).await;
    assert_eq!(queue.dequeue(parked).await.unwrap().tasks[0].record.id, id("new"));
    assert!(!queue.heartbeat(beat(holder)).await.unwrap().closed);
    assert_eq!(settle(&queue, &held[0], completed()).await, SettleAnswer::Done);
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_given_them_again_by_every_call() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    let forget = || server.say(&["script", "flush"]);
    forget();
    put(&queue, "a", options()).await;
    forget();
    let got = queue.dequeue(claim(worker, 1)).await.unwrap().tasks;
    forget();
    queue.heartbeat(beat(worker)).await.unwrap();
    forget();
    assert_eq!(queue.cancel(&Q, &id("a")).await.unwrap(), CancelAnswer::Requested);
    forget();
    assert_eq!(settle(&queue, &got[0], failed()).await, SettleAnswer::Done);
    forget();
    assert_eq!(queue.control(&Q, Command::Replay(id("a"))).await.unwrap(), ControlAnswer::Done(1));
    forget();
    assert_eq!(queue.stats(&Q).await.unwrap().pending, 1);
    forget();
    assert_eq!(queue.list(&Q, Filter::new(10)).await.unwrap().tasks.len(), 1);
    forget();
    assert!(queue.explain(&Q, &id("a")).await.unwrap().is_some());
    forget();
    assert!(queue.message(&Q, &id("a")).await.unwrap().is_some());
    forget();
    assert!(queue.wait(&Q, &id("a"), Duration::from_millis(1)).await.unwrap().is_live());
    forget();
    assert_eq!(queue.release(&Q, worker).await.unwrap(), 0);
}

/// Cuts off all connections of this name.
fn cut_off(server: &Server, name: &str) {
    let name = format!(" name=task-queue:{name} ");
    for line in server.say(&["client", "list"]).lines().filter(|line| line.contains(&name)) {
        let id = line.split(' ').next().and_then(|word| word.strip_prefix("id=")).unwrap();
        server.say(&["client", "kill", "id", id]);
    }
}

/// A worker whose waiting connection was cut off slept on: nothing was to come over it any more.
#[tokio::test]
async fn whoever_waits_on_a_connection_that_is_cut_off_goes_on_over_another() {
    let server = Server::start(&[]);
    let (queue, by_hand) = (server.queue().await, server.queue().await);
    let spawn = |queue: RedisQueue, claim| tokio::spawn(async move { queue.dequeue(claim).await });

    let dequeue = spawn(queue.clone(), long_claim());
    server.see("waits", "blpop", 1).await;
    cut_off(&server, "waits");
    server.see("waits", "blpop", 1).await;
    put(&by_hand, "a", options()).await;
    let got = soon("a dequeue", dequeue).await.unwrap().unwrap().tasks;

    let mut beat = beat(got[0].token.worker);
    beat.wait = LONG;
    let heartbeat = tokio::spawn({
        let queue = queue.clone();
        async move {
            loop {
                let told = queue.heartbeat(beat.clone()).await.unwrap();
                if !told.cancel.is_empty() {
                    return told; // a wait that was cut off ends, since the bell may have rung
                }
            }
        }
    });
    server.see("waits", "blpop", 1).await;
    cut_off(&server, "waits");
    server.see("waits", "blpop", 1).await;
    by_hand.cancel(&Q, &id("a")).await.unwrap();
    assert_eq!(soon("a heartbeat", heartbeat).await.unwrap().cancel.len(), 1);

    let wait = tokio::spawn({
        let queue = queue.clone();
        async move { queue.wait(&Q, &id("a"), LONG).await }
    });
    server.see("news", "subscribe", 1).await;
    cut_off(&server, "news");
    server.see("news", "subscribe", 1).await;
    settle(&by_hand, &got[0], completed()).await;
    assert!(!soon("a wait", wait).await.unwrap().unwrap().is_live());
}

#[tokio::test]
async fn a_client_whose_connections_were_all_cut_off_makes_new_ones() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let puts = ["a", "b", "c", "d"].map(|text| put(&queue, text, options()));
    let [a, b, c, d] = puts;
    tokio::join!(a, b, c, d);
    cut_off(&server, "commands");
    let mut failures = 0;
    until("the queue answers", || async { queue.stats(&Q).await.ok() }).await;
    for _ in 0..20 {
        failures += u32::from(queue.result(&Q, &id("a")).await.is_err());
    }
    assert_eq!(failures, 0, "one lost answer is enough to give up the others of the pool");
}

/// While a server was killed and started again and again, others came to it each time and a worker did not: its lease ended, and
/// since somebody had always called within six seconds, its tasks were taken for those of a dead one.
#[tokio::test]
async fn after_a_restart_nobody_is_taken_for_dead_for_a_while_however_short_it_was() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (queue, other) = (server.queue().await, server.queue().await);
    put(&queue, "a", options()).await;
    put(&queue, "b", options()).await;
    let mut first = claim(Incarnation::new(), 1);
    first.max_tasks = 2;
    Arc::make_mut(&mut first.registration).lease = Duration::from_millis(300);
    let taken = queue.dequeue(first).await.unwrap().tasks;
    server.kill();
    server.start_again();
    let worker = Incarnation::new();
    let look = || async { other.dequeue(claim(worker, 1)).await.ok() };
    assert!(until("it is back", look).await.tasks.is_empty());
    other.advance_clock(&Q, Duration::from_secs(10), true).await.unwrap();
    assert!(look().await.unwrap().tasks.is_empty(), "the lease is over, but the server was away");
    let done = || async { queue.result(&Q, &id("a")).await.ok() };
    until("the worker is back, too", done).await;
    assert_eq!(settle(&queue, &taken[0], completed()).await, SettleAnswer::Done);
    other.advance_clock(&Q, Duration::from_secs(3), true).await.unwrap();
    assert_eq!(look().await.unwrap().tasks[0].record.id, id("b"), "it has not come back");
}
