//! Servers that refuse: full ones, and those that do not let us in.

use std::time::Duration;

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{server::Server, stage::*};

#[tokio::test]
async fn a_full_server_refuses_enqueues_and_drains() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    for text in ["done", "again", "front", "cancelled", "waits"] {
        put(&queue, text, options()).await;
    }
    server.say(&["config", "set", "maxmemory", "1"]);
    assert_eq!(put(&queue, "b", options()).await, Enqueued::Full);
    let worker = Incarnation::new();
    let mut next = claim(worker, 1);
    next.max_tasks = 4;
    let got = queue.dequeue(next).await.unwrap().tasks;
    assert_eq!(queue.cancel(&Q, &id("cancelled")).await.unwrap(), CancelAnswer::Requested);
    assert_eq!(queue.heartbeat(beat(worker)).await.unwrap().cancel.len(), 1);
    let outcomes = [completed(), retry_in(0), Outcome::Released, retry_in(0)];
    for (delivery, outcome) in got.iter().zip(outcomes) {
        assert_eq!(settle(&queue, delivery, outcome).await, SettleAnswer::Done);
    }
    for number in 2..5 {
        let mut next = claim(worker, number);
        next.wait = Duration::from_secs(10);
        let got = queue.dequeue(next).await.unwrap().tasks;
        settle(&queue, &got[0], completed()).await;
    }
    let stats = queue.stats(&Q).await.unwrap();
    assert_eq!((stats.live(), stats.completed, stats.cancelled), (0, 4, 1), "{stats:?}");
    assert_eq!(put(&queue, "b", options()).await, Enqueued::Full);
    server.say(&["config", "set", "maxmemory", "0"]);
    assert_eq!(put(&queue, "b", options()).await, Enqueued::Queued);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_shown() {
    let server = Server::start(&["--requirepass", "right"]);
    let url = format!("redis://:s3cret@127.0.0.1:{}", server.port);
    let error = RedisQueue::connect(&url).await.unwrap_err();
    assert!(matches!(error, QueueError::Refused(_)), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
