//! What is kept has a bound, by time and by count.

use std::time::Duration;

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{server::Server, stage::*};

async fn put_many(queue: &RedisQueue, prefix: &str, n: usize, options: TaskOptions) {
    let ids: Vec<String> = (0..n).map(|i| format!("{prefix}{i:04}")).collect();
    for ids in ids.chunks(Batch::MAX) {
        let messages = ids.iter().map(|id| named(EXTRACT, id, options.clone())).collect();
        queue.enqueue(Batch::new(Q, messages)).await.unwrap();
    }
}

/// Claims up to a thousand tasks, and settles all of them so.
async fn work(queue: &RedisQueue, worker: Incarnation, number: u64, outcome: &Outcome) -> usize {
    let mut claim = claim(worker, number);
    claim.max_tasks = 1000;
    let got = queue.dequeue(claim).await.unwrap().tasks;
    let settlements = got.iter().map(|delivery| Settlement::new(delivery.clone(), outcome.clone())).collect();
    queue.settle(SettleRequest::new(Q, settlements)).await.unwrap();
    got.len()
}

#[tokio::test]
async fn results_over_their_cap_go_before_their_time_and_are_counted() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    queue.keep_completed(&Q, Some(5)).await.unwrap();
    put_many(&queue, "t", 20, options()).await;
    let worker = Incarnation::new();
    work(&queue, worker, 1, &completed()).await;
    queue.advance_clock(&Q, Duration::from_secs(1), true).await.unwrap();
    let stats = queue.stats(&Q).await.unwrap();
    assert_eq!((stats.completed, stats.totals.completed, stats.totals.dropped_results), (5, 20, 15));
    let first = queue.result(&Q, &id("t0000")).await.unwrap();
    assert_eq!(first, Lookup::Expired, "its id is remembered");
}

#[tokio::test]
async fn a_failed_task_beyond_the_cap_loses_its_params_and_never_its_status() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    queue.keep_replayable(&Q, Some(2)).await.unwrap();
    put_many(&queue, "failed", 3, options()).await;
    work(&queue, worker, 1, &failed()).await;
    queue.advance_clock(&Q, Duration::from_secs(1), true).await.unwrap();
    put_many(&queue, "cancelled", 2, options()).await;
    queue.control(&Q, Command::Purge).await.unwrap();
    queue.heartbeat(beat(worker)).await.unwrap();
    for n in 0..3 {
        let name = format!("failed000{n}");
        let known = record(&queue, &name).await;
        let error = known.error.unwrap();
        assert_eq!((known.status, known.task.as_str()), (TaskStatus::Failed, EXTRACT), "{name}");
        assert_eq!((error.message.as_str(), known.failures, known.errors.len()), ("no", 1, 1), "{name}");
        assert_eq!(queue.message(&Q, &id(&name)).await.unwrap(), None);
        let replayed = queue.control(&Q, Command::Replay(id(&name))).await.unwrap();
        assert_eq!(replayed, ControlAnswer::ParamsDropped, "{name}");
        let there = Enqueued::Exists { status: TaskStatus::Failed, same: true };
        assert_eq!(put(&queue, &name, options()).await, there, "it is still known by its params");
    }
    let replayed = queue.control(&Q, Command::Replay(id("cancelled0001"))).await.unwrap();
    assert_eq!(replayed, ControlAnswer::Done(1));
    assert_eq!(queue.control(&Q, Command::Delete(id("failed0000"))).await.unwrap(), ControlAnswer::Done(1));
    assert_eq!(queue.stats(&Q).await.unwrap().failed, 2);
}

/// The sweep forgot at most a thousand tasks a second: more work than that, and what was kept grew without end.
#[tokio::test]
async fn what_is_forgotten_keeps_up_with_what_ends() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    let short = options().retention(Duration::from_secs(1));
    for round in 0..6 {
        put_many(&queue, &format!("r{round}-"), 1000, short.clone()).await;
        assert_eq!(work(&queue, worker, round + 1, &completed()).await, 1000);
        queue.advance_clock(&Q, Duration::from_secs(700), true).await.unwrap();
        // leases have ended meanwhile, which this worker's own claim outlives
        let kept: u64 = server.say(&["hlen", "tf:{tasks}:tasks"]).parse().unwrap();
        assert!(kept <= 2000, "after round {round}, {kept} tasks are kept");
    }
}

#[tokio::test]
async fn a_queue_that_was_used_and_is_empty_again_leaves_nothing_but_its_totals() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    let special = options().unique("key").expires(Duration::from_secs(3600));
    put(&queue, "special", special).await;
    put_many(&queue, "done", 5, options()).await;
    assert_eq!(work(&queue, worker, 1, &completed()).await, 6);
    put_many(&queue, "failed", 5, options()).await;
    put_many(&queue, "late", 2, options().delay(Duration::from_secs(60))).await;
    work(&queue, worker, 2, &failed()).await;
    put_many(&queue, "unknown", 2, options()).await;
    work(&queue, worker, 3, &Outcome::NameUnknown).await;
    put_many(&queue, "retried", 2, options()).await;
    work(&queue, worker, 4, &retry_in(60)).await;
    queue.control(&Q, Command::Purge).await.unwrap();
    queue.control(&Q, Command::Tell(worker, WorkerCommand::Pause)).await.unwrap();
    queue.release(&Q, worker).await.unwrap();
    queue.advance_clock(&Q, Duration::from_secs(8 * 24 * 3600), true).await.unwrap();
    until("all is swept", || async {
        queue.stats(&Q).await.unwrap();
        (server.say(&["hlen", "tf:{tasks}:tasks"]) == "0").then_some(())
    })
    .await;
    let left = server.say(&["keys", "tf:{tasks}:*"]);
    let mut left: Vec<&str> = left.lines().map(|key| &key["tf:{tasks}:".len()..]).collect();
    left.sort_unstable();
    // a token that nobody takes, and two hashes that a dummy field keeps hashes
    assert_eq!(left, ["meta", "run", "state", "wake"]);
}

/// A worker that never acknowledged its claims, or died without being released, left something behind with each.
#[tokio::test]
async fn a_worker_leaves_nothing_behind_however_it_claims_and_ends() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    for number in 1..=40 {
        put(&queue, &format!("t{number}"), options()).await;
        let mut claim = claim(worker, number);
        claim.acked = 0;
        assert_eq!(queue.dequeue(claim).await.unwrap().tasks.len(), 1);
    }
    let log = format!("tf:{{tasks}}:claims:{worker}");
    let fields: u64 = server.say(&["hlen", &log]).parse().unwrap();
    assert!(fields <= 18, "{fields} fields of claims are kept");
    queue.advance_clock(&Q, Duration::from_secs(13), true).await.unwrap();
    queue.stats(&Q).await.unwrap();
    for key in ["gens", "reg", "knows", "label", "seen", "leases", "dying"] {
        let key = format!("tf:{{tasks}}:{key}");
        assert_eq!(server.say(&["exists", &key]), "0", "{key}");
    }
    assert_eq!(server.say(&["exists", &log]), "0");
}
