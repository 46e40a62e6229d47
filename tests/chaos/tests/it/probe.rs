//! After everything that makes a task due, a worker that has nothing to do starts it at once.

use std::{collections::BTreeMap, time::Duration};

use chaos::{Event, now};
use serde_json::json;
use task_core::{Command, Queue as _, RetryPolicy, TaskQueue};

use crate::{
    entry::{Cancel, Entry, Kind, Replay, Where},
    stage::{Q, Stage},
};

/// A worker that nobody wakes looks every five seconds by itself; less than that tells that it was woken.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How long a delayed one waits, and one that is tried again.
const DELAY: Duration = Duration::from_millis(300);

/// Each way to become due.
const WAYS: [&str; 4] = ["enqueued", "delayed", "retried", "resumed"];
const ROUNDS: usize = 3;

fn id(round: usize, way: &str) -> String {
    format!("probe-{round}-{way}")
}

/// What is enqueued here, as the checker wants to know it.
pub(crate) fn entries() -> impl Iterator<Item = Entry> {
    (0..ROUNDS).flat_map(|round| {
        WAYS.iter().enumerate().map(move |(place, way)| Entry {
            id: id(round, way),
            kind: if *way == "retried" { Kind::Flaky(1) } else { Kind::Quick },
            queue: Where::Tasks,
            priority: 50,
            delay: (*way == "delayed").then_some(DELAY),
            expires: None,
            unique: None,
            app: usize::MAX,
            batch: round * WAYS.len() + place,
            sent: 0,
            acked: Some(now()),
            duplicate_of: None,
            cancel: Cancel::NotAsked,
            replay: Replay::NotAsked,
        })
    })
}

/// Ways in which workers that had nothing to do did not start at once what was due. Once may be chance, on a machine that
/// does much else; a wake-up that is missing is missing each time.
pub(crate) async fn slow_starts(stage: &Stage) -> Vec<String> {
    let (queue, mut slow) = (stage.direct().await, BTreeMap::<_, Vec<Duration>>::new());
    for round in 0..ROUNDS {
        for way in WAYS {
            let from = now();
            let starts = probe(&queue, &id(round, way), way).await;
            stage.until("a probe ends", || stage.book.lock().unwrap().ended.contains(&id(round, way))).await;
            let started = |line: &&chaos::Line| line.id == id(round, way) && line.event == Event::Start;
            let mut from = from;
            for attempt in 1..=starts {
                let line = loop {
                    let line =
                        stage.book.lock().unwrap().lines.iter().filter(started).nth(attempt - 1).cloned();
                    match line {
                        Some(line) => break line,
                        None => tokio::task::yield_now().await,
                    }
                };
                let took = Duration::from_micros(line.at.saturating_sub(from));
                if took > AT_ONCE + DELAY {
                    slow.entry((way, attempt)).or_default().push(took);
                }
                from = line.at;
            }
        }
    }
    slow.retain(|_, took| took.len() > 1);
    slow.into_iter().map(|((way, start), took)| format!("{way}, start {start}: {took:?}")).collect()
}

/// Enqueues it; answers how often it will start.
async fn probe(queue: &TaskQueue, id: &str, way: &str) -> usize {
    let quick = queue.enqueue_named::<u32>("quick", &json!({"pad": ""})).id(id.parse().unwrap());
    match way {
        "delayed" => drop(quick.delay(DELAY).await.unwrap()),
        "retried" => {
            let flaky = queue.enqueue_named::<u32>("flaky", &json!({"until": 1})).id(id.parse().unwrap());
            flaky.backoff(RetryPolicy::fixed(DELAY)).await.unwrap();
            return 2;
        }
        "resumed" => {
            queue.control(&Q, Command::Pause).await.unwrap();
            quick.await.unwrap();
            queue.control(&Q, Command::Resume).await.unwrap();
        }
        _ => drop(quick.await.unwrap()),
    }
    1
}
