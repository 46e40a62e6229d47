//! Workers whose every thread is blocked, on cores that others keep busy: they live, and their tasks are theirs.
//!
//! For as long as the environment says: `CHAOS_BUSY_MINUTES=60 CHAOS_BUSY_LEASE=8 CHAOS_BUSY_HEARTBEAT=2` (minutes, seconds,
//! seconds).

use std::{env, time::Duration};

use serde_json::json;
use task_core::{Queue as _, TaskHandle, TaskQueue};
use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;
use task_tests::{Folder, Running};
use tokio::time::{Instant, sleep};

use crate::{run::ALWAYS, stage::Q, system};

const WORKERS: usize = 2;

fn told(name: &str, default: u64) -> Duration {
    let text = env::var(name).unwrap_or_default();
    let number = if text.is_empty() { Ok(default) } else { text.parse() };
    Duration::from_secs(number.unwrap_or_else(|_| panic!("{name}={text} is no whole number")))
}

/// How long the lease lasts yet that ends first, in milliseconds; negative if it is over.
fn shortest_lease(server: &RedisServer) -> i64 {
    let script = "local t, low = redis.call('TIME'), nil \
        for i, at in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')) do \
          if i % 2 == 0 and (not low or tonumber(at) < low) then low = tonumber(at) end \
        end \
        return low and math.floor(low - t[1] * 1000 - t[2] / 1000)";
    let said = server.command(&["eval", script, "1", "tf:{tasks}:leases"]);
    said.parse().unwrap_or_else(|_| panic!("no worker is left: {said}"))
}

fn worker(folder: &Folder, server: &RedisServer, lease: Duration, heartbeat: Duration) -> Running {
    let (url, lease, heartbeat) = (server.url(), lease.as_millis(), heartbeat.as_millis());
    let mut command = folder.command(&format!("bare {url} {lease} {heartbeat}"));
    command.env("TASK_CONCURRENCY", "8").env("TASK_GRACE", "2s");
    folder.spawn(command)
}

/// A live task of 35 minutes ran again elsewhere, and jobs passed for stalled because a loop was busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_whose_every_thread_is_blocked_on_cores_that_spin_is_not_taken_for_dead() {
    let (lease, heartbeat) = (told("CHAOS_BUSY_LEASE", 12), told("CHAOS_BUSY_HEARTBEAT", 3));
    let long = 60 * told("CHAOS_BUSY_MINUTES", 0);
    let long = if long.is_zero() { lease + Duration::from_secs(6) } else { long };
    let server = RedisServer::start(ALWAYS);
    let folder = Folder::new(env!("CARGO_BIN_EXE_chaos-tasks"));
    let workers: Vec<Running> = (0..WORKERS).map(|_| worker(&folder, &server, lease, heartbeat)).collect();
    let queue = TaskQueue::new(RedisQueue::connect(&server.url()).await.unwrap());
    let end = Instant::now() + long;

    // more than all their threads, again and again: each keeps one for longer than a lease
    let threads = WORKERS * std::thread::available_parallelism().unwrap().get();
    let millis = (lease + Duration::from_secs(2)).as_millis() as u64;
    let mut tasks: Vec<TaskHandle<u32>> = Vec::new();
    let enqueue = async |tasks: &mut Vec<_>| {
        for _ in 0..threads {
            tasks.push(queue.enqueue_named("spin", &json!({"millis": millis})).await.unwrap());
        }
    };
    enqueue(&mut tasks).await;
    enqueue(&mut tasks).await;
    while queue.stats(&Q).await.unwrap().running == 0 {
        sleep(Duration::from_millis(20)).await; // until somebody has begun
    }
    let spinning = tokio::spawn(system::keep_busy(long));
    let (mut least, mut told) = (i64::MAX, Instant::now());
    while Instant::now() < end {
        // it does housekeeping, too, as any other worker's calls would: whoever passes for dead is reaped
        let stats = queue.stats(&Q).await.unwrap();
        least = least.min(shortest_lease(&server));
        if stats.pending < threads as u64 {
            enqueue(&mut tasks).await;
        }
        if told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            println!(
                "{} tasks, {} recovered; least left of a lease: {least} ms",
                tasks.len(),
                stats.totals.recovered_lease
            );
        }
        sleep(Duration::from_millis(200)).await; // the rhythm of the looks
    }
    spinning.await.unwrap();

    let stats = queue.stats(&Q).await.unwrap();
    println!(
        "{} s, {} tasks of {millis} ms, lease {lease:?}, heartbeat {heartbeat:?}: {} taken; least left of a lease: {least} ms",
        long.as_secs(),
        tasks.len(),
        stats.totals.recovered_lease
    );
    let totals = &stats.totals;
    let taken = totals.recovered_lease + totals.recovered_released + totals.recovered_lost;
    assert_eq!(taken, 0, "taken for dead: {totals:?}");
    for task in &tasks {
        let record = task.message().await.unwrap().expect("it is known");
        assert!(record.attempts <= 1 && record.crashes == 0, "{record:?}");
    }
    drop(workers);
}
