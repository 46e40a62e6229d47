//! What people see of a queue: counts, workers, lists.

use std::{collections::HashSet, time::Duration};

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{
    server::Server,
    stage::{
        EXTRACT, Q, beat, completed, failed, id, named, options, registration, retry_in, settle, until, work,
    },
};

async fn put(queue: &RedisQueue, name: &'static str, ids: Vec<String>, options: TaskOptions) {
    let messages: Vec<TaskMessage> = ids.iter().map(|id| named(name, id, options.clone())).collect();
    let answers = queue.enqueue(Batch::new(Q, messages)).await.unwrap().answers;
    assert!(answers.iter().all(|answer| *answer == Enqueued::Queued), "{answers:?}");
}

fn numbered(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{prefix}{i:04}")).collect()
}

fn claim(worker: Incarnation, number: u64, tasks: usize) -> Claim {
    let mut claim = Claim::new(Q, worker, registration(&[EXTRACT]), number);
    claim.max_tasks = tasks;
    claim
}

/// Walks all pages; fails if a page is longer than asked for.
async fn walk(queue: &RedisQueue, mut filter: Filter) -> Vec<ResultMessage> {
    let mut tasks = Vec::new();
    loop {
        let page = queue.list(&Q, filter.clone()).await.unwrap();
        assert!(page.tasks.len() <= filter.limit, "{} tasks on a page of {}", page.tasks.len(), filter.limit);
        tasks.extend(page.tasks);
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => return tasks,
        }
    }
}

#[tokio::test]
async fn every_task_is_counted_in_one_place() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, EXTRACT, numbered("ready", 6), options()).await;
    put(&queue, EXTRACT, numbered("late", 2), options().delay(Duration::from_secs(600))).await;
    let worker = Incarnation::new();
    let got = queue.dequeue(claim(worker, 1, 5)).await.unwrap().tasks;
    settle(&queue, &got[0], completed()).await;
    settle(&queue, &got[1], failed()).await;
    settle(&queue, &got[2], retry_in(600)).await;
    settle(&queue, &got[3], Outcome::NameUnknown).await;
    queue.cancel(&Q, &"late0001".parse().unwrap()).await.unwrap();
    queue.control(&Q, Command::Limit(Some(9))).await.unwrap();
    queue.advance_clock(&Q, Duration::from_secs(5), true).await.unwrap();
    let mut sign = beat(worker);
    sign.busy = 2;
    queue.heartbeat(sign).await.unwrap();
    let stats = queue.stats(&Q).await.unwrap();
    assert_eq!((stats.pending, stats.delayed, stats.unknown_name, stats.suspects), (3, 1, 1, 0), "{stats:?}");
    assert_eq!((stats.running, stats.retry), (1, 1), "{stats:?}");
    assert_eq!((stats.completed, stats.failed, stats.skipped, stats.cancelled), (1, 1, 0, 1), "{stats:?}");
    let totals = stats.totals;
    assert_eq!((totals.enqueued, totals.completed, totals.failed, totals.cancelled), (8, 1, 1, 1));
    assert_eq!((stats.enqueued_per_minute, stats.finished_per_minute), (8.0, 3.0));
    assert_eq!((stats.limit, stats.paused, totals.retried), (Some(9), false, 1));
    let oldest = stats.oldest_pending_secs.unwrap();
    assert!((5.0..20.0).contains(&oldest), "{oldest}");
    let [info] = &stats.workers[..] else { panic!("{:?}", stats.workers) };
    assert_eq!((info.incarnation, info.label.as_str(), info.host.as_str()), (worker, "worker_1", "here"));
    assert_eq!((info.pid, info.concurrency, info.busy, info.names.len()), (7, 3, 2, 1));
    assert!(info.seen.since(info.since) >= Duration::from_secs(5), "{info:?}");
}

#[tokio::test]
async fn a_queue_that_nobody_used_has_nothing_in_it() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let stats = queue.stats(&Q).await.unwrap();
    assert_eq!((stats.live(), stats.oldest_pending_secs, stats.workers.len()), (0, None, 0));
    assert_eq!(walk(&queue, Filter::new(10)).await, []);
}

#[tokio::test]
async fn pages_of_any_size_show_every_task_once_by_state_and_in_order() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    // so many that a page of those that run is a part of a scan
    let worker = Incarnation::new();
    put(&queue, EXTRACT, numbered("run", 1000), options()).await;
    let got = queue.dequeue(claim(worker, 1, 1000)).await.unwrap().tasks;
    put(&queue, EXTRACT, numbered("more", 300), options()).await;
    assert_eq!(queue.dequeue(claim(worker, 2, 1000)).await.unwrap().tasks.len(), 300);
    settle(&queue, &got[0], completed()).await;
    settle(&queue, &got[1], retry_in(600)).await;
    settle(&queue, &got[2], Outcome::NameUnknown).await;
    put(&queue, EXTRACT, numbered("low", 40), options().priority(10)).await;
    put(&queue, "other", numbered("high", 40), options().priority(90)).await;
    let late = options().delay(Duration::from_secs(60));
    put(&queue, EXTRACT, numbered("late", 5), late).await;
    // a hash that grows meanwhile may show one twice; it does so by as many steps as it is looked into
    walk(&queue, Filter::new(1000)).await;
    for limit in [7, 100, 1000] {
        let tasks = walk(&queue, Filter::new(limit)).await;
        let ids: HashSet<&TaskId> = tasks.iter().map(|task| &task.id).collect();
        assert_eq!((tasks.len(), ids.len()), (1385, 1385), "pages of {limit}");
        assert!(tasks[0].id.to_string().starts_with("high") && tasks[79].id.to_string() == "low0039");
        let mut filter = Filter::new(limit);
        filter.status = Some(TaskStatus::Running);
        assert_eq!(walk(&queue, filter.clone()).await.len(), 1297);
        (filter.status, filter.name) = (None, Some(Name::from_static("other").unwrap()));
        assert_eq!(walk(&queue, filter).await.len(), 40);
    }
    let mut filter = Filter::new(10);
    filter.status = Some(TaskStatus::Completed);
    let ended = walk(&queue, filter.clone()).await;
    assert_eq!((ended.len(), ended[0].result.as_deref()), (1, Some(&[7u8][..])));
    filter.cursor = Some("elsewhere 0".into());
    assert!(matches!(queue.list(&Q, filter).await, Err(QueueError::Invalid(_))));
}

/// A long list keeps the entry of a result that was deleted. The task that came again under its id was listed twice, and
/// would be forgotten in the place of the first.
#[tokio::test]
async fn a_result_that_was_deleted_and_came_again_is_listed_once_and_kept_for_its_own_time() {
    const HOUR: Duration = Duration::from_secs(3600);
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    put(&queue, EXTRACT, numbered("a", 1000), options()).await;
    work(&queue, worker, 1, &completed()).await;
    put(&queue, EXTRACT, numbered("b", 1), options()).await;
    work(&queue, worker, 2, &completed()).await;
    let again = || id("a0500");
    queue.control(&Q, Command::Delete(again())).await.unwrap();
    let mut filter = Filter::new(100);
    filter.status = Some(TaskStatus::Completed);
    assert_eq!(walk(&queue, filter.clone()).await.len(), 1000);

    queue.advance_clock(&Q, HOUR, true).await.unwrap();
    let worker = Incarnation::new();
    put(&queue, EXTRACT, vec!["a0500".into()], options()).await;
    work(&queue, worker, 1, &completed()).await;
    let tasks = walk(&queue, filter.clone()).await;
    let ids: HashSet<&TaskId> = tasks.iter().map(|task| &task.id).collect();
    assert_eq!((tasks.len(), ids.len()), (1001, 1001));
    assert_eq!((&tasks[0].id, queue.stats(&Q).await.unwrap().completed), (&again(), 1001));

    queue.advance_clock(&Q, 23 * HOUR + HOUR / 2, true).await.unwrap();
    until("the others are forgotten", || async {
        (queue.stats(&Q).await.unwrap().completed == 1).then_some(())
    })
    .await;
    assert!(matches!(queue.result(&Q, &again()).await.unwrap(), Lookup::Found(_)));
    queue.advance_clock(&Q, HOUR, true).await.unwrap();
    until("it is too", || async {
        queue.stats(&Q).await.unwrap();
        (server.say(&["hlen", "tf:{tasks}:tasks"]) == "0").then_some(())
    })
    .await;
}
