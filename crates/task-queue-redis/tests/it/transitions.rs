//! Each transition once, on a real server.

use std::time::Duration;

use task_queue_redis::task_core::*;

use crate::{server::Server, stage::*};

#[tokio::test]
async fn a_task_is_enqueued_once_claimed_settled_once_and_read() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    assert_eq!(put(&queue, "a", options()).await, Enqueued::Queued);
    let there = Enqueued::Exists { status: TaskStatus::Pending, same: true };
    assert_eq!(put(&queue, "a", options()).await, there);
    let worker = Incarnation::new();
    let got = queue.dequeue(claim(worker, 1)).await.unwrap();
    let again = queue.dequeue(Claim::new(Q, worker, claim(worker, 1).registration, 1)).await.unwrap();
    assert_eq!((got.tasks.len(), again.tasks.len()), (1, 1));
    assert_eq!(got.tasks[0].record.status, TaskStatus::Running);
    assert_eq!(got.tasks[0].record.attempts, 1);
    assert_eq!(record(&queue, "a").await.worker.as_deref(), Some("worker_1"));
    assert_eq!(settle(&queue, &got.tasks[0], completed()).await, SettleAnswer::Done);
    assert_eq!(settle(&queue, &got.tasks[0], completed()).await, SettleAnswer::AlreadyDone);
    assert_eq!(settle(&queue, &got.tasks[0], retry_in(3)).await, SettleAnswer::Stale);
    let end = record(&queue, "a").await;
    assert_eq!((end.status, end.result.as_deref()), (TaskStatus::Completed, Some(&[7u8][..])));
    assert!(end.finished_at.unwrap() >= end.started_at.unwrap());
}

#[tokio::test]
async fn a_retry_waits_for_its_time_and_keeps_its_error() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    let worker = Incarnation::new();
    let got = queue.dequeue(claim(worker, 1)).await.unwrap();
    assert_eq!(settle(&queue, &got.tasks[0], retry_in(3)).await, SettleAnswer::Done);
    assert_eq!(settle(&queue, &got.tasks[0], retry_in(3)).await, SettleAnswer::AlreadyDone);
    let waits = record(&queue, "a").await;
    assert_eq!((waits.status, waits.failures, waits.errors.len()), (TaskStatus::Retry, 1, 1));
    let none = queue.dequeue(claim(worker, 2)).await.unwrap();
    assert!(none.tasks.is_empty() && none.next_wake.is_some(), "{none:?}");
    queue.advance_clock(&Q, Duration::from_secs(4), true).await.unwrap();
    let got = queue.dequeue(claim(worker, 3)).await.unwrap();
    assert_eq!(got.tasks[0].record.attempts, 2);
    assert!(got.tasks[0].record.errors[0].at > Timestamp::default());
}

#[tokio::test]
async fn what_a_newer_release_wrote_into_a_message_is_kept_by_an_older_one() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    let record = |change: &str| {
        let script = format!("local record = redis.call('HGET', KEYS[1], ':a') {change}");
        server.say(&["eval", &script, "1", "tf:{tasks}:tasks"])
    };
    // the map's head grows by one, and the field stands at its end
    let add = "return redis.call('HSET', KEYS[1], ':a', \
               record:sub(1, 4) .. string.char(record:byte(5) + 1) .. record:sub(6) .. '\\162zz\\7')";
    assert_eq!(record(add), "0");
    let worker = Incarnation::new();
    for (number, outcome) in [(1, Outcome::Released), (2, retry_in(0)), (3, completed())] {
        let got = queue.dequeue(claim(worker, number)).await.unwrap();
        assert_eq!(got.tasks[0].message.as_ref().map(|message| message.name.as_str()), Ok("extract"));
        assert_eq!(settle(&queue, &got.tasks[0], outcome).await, SettleAnswer::Done);
        if number < 3 {
            assert_eq!(record("return record:sub(-4) == '\\162zz\\7' and 'kept' or 'lost'"), "kept");
        }
    }
}

#[tokio::test]
async fn a_waiting_claim_is_woken_by_an_enqueue() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let mut waiting = claim(Incarnation::new(), 1);
    waiting.wait = Duration::from_secs(30);
    let started = tokio::time::Instant::now();
    let (got, _) = tokio::join!(queue.dequeue(waiting), put(&queue, "a", options()));
    assert_eq!(got.unwrap().tasks.len(), 1);
    assert!(started.elapsed() < Duration::from_secs(4), "it was found by the safety read alone");
}

#[tokio::test]
async fn a_released_worker_is_closed_and_its_task_goes_to_another() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    let dead = Incarnation::new();
    let got = queue.dequeue(claim(dead, 1)).await.unwrap();
    assert_eq!(queue.release(&Q, dead).await.unwrap(), 1);
    assert_eq!(queue.release(&Q, dead).await.unwrap(), 0);
    assert_eq!(settle(&queue, &got.tasks[0], completed()).await, SettleAnswer::Stale);
    assert!(matches!(queue.dequeue(claim(dead.next(), 1)).await, Err(QueueError::Closed(_))));
    let got = queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap();
    assert_eq!((got.tasks[0].record.attempts, got.tasks[0].record.crashes), (2, 1));
}

#[tokio::test]
async fn a_lease_that_ends_gives_its_tasks_back_but_not_in_the_grace_after_an_outage() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap();
    let other = Incarnation::new();
    queue.advance_clock(&Q, Duration::from_secs(60), false).await.unwrap();
    assert!(queue.dequeue(claim(other, 1)).await.unwrap().tasks.is_empty());
    queue.advance_clock(&Q, Duration::from_secs(13), true).await.unwrap();
    assert_eq!(queue.dequeue(claim(other, 2)).await.unwrap().tasks.len(), 1);
}

/// One call gave back the tasks of one dead worker alone: of two that died together, one that had held nothing hid the
/// other's task from whoever called first.
#[tokio::test]
async fn a_task_comes_back_at_once_though_many_idle_workers_died_with_its_own() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    for _ in 0..8 {
        queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap();
    }
    queue.advance_clock(&Q, Duration::from_secs(13), true).await.unwrap();
    assert_eq!(queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap().tasks.len(), 1);
}

#[tokio::test]
async fn a_running_task_that_is_to_be_cancelled_is_told_to_a_beat_that_waits() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    let worker = Incarnation::new();
    let got = queue.dequeue(claim(worker, 1)).await.unwrap();
    let mut beat = Heartbeat::new(Q, worker, claim(worker, 1).registration);
    beat.wait = Duration::from_secs(30);
    let id = id("a");
    let started = tokio::time::Instant::now();
    let (told, asked) = tokio::join!(queue.heartbeat(beat), queue.cancel(&Q, &id));
    assert_eq!(asked.unwrap(), CancelAnswer::Requested);
    assert!(started.elapsed() < Duration::from_secs(4), "the wait took the bell, and the beat found none");
    assert_eq!(told.unwrap().cancel, [(id, got.tasks[0].token)]);
    assert_eq!(settle(&queue, &got.tasks[0], retry_in(3)).await, SettleAnswer::Done);
    assert_eq!(record(&queue, "a").await.status, TaskStatus::Cancelled);
}

#[tokio::test]
async fn a_unique_key_is_held_until_the_end_and_taken_again_by_a_replay() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let unique = || options().unique("k");
    put(&queue, "a", unique()).await;
    let id = id("a");
    assert_eq!(put(&queue, "b", unique()).await, Enqueued::DuplicateOf(id.clone()));
    assert_eq!(queue.cancel(&Q, &id).await.unwrap(), CancelAnswer::Cancelled);
    assert_eq!(put(&queue, "b", unique()).await, Enqueued::Queued);
    let owner = ControlAnswer::DuplicateOf(crate::stage::id("b"));
    assert_eq!(queue.control(&Q, Command::Replay(id.clone())).await.unwrap(), owner);
    assert_eq!(queue.control(&Q, Command::Purge).await.unwrap(), ControlAnswer::Done(1));
    assert_eq!(queue.control(&Q, Command::Replay(id)).await.unwrap(), ControlAnswer::Done(1));
    assert_eq!(queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap().tasks.len(), 1);
}
