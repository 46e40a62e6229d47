//! Servers that are full, badly set up, or shared with another program.

use std::time::Duration;

use task_queue_redis::{RedisQueue, task_core::*};

use tokio::io::AsyncWriteExt;

use crate::{
    server::{Server, free_port},
    stage::*,
};

#[tokio::test]
async fn a_full_server_refuses_enqueues_and_drains() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    for text in ["done", "again", "front", "cancelled", "waits"] {
        put(&queue, text, options()).await;
    }
    server.say(&["config", "set", "maxmemory", "1"]);
    assert_eq!(put(&queue, "b", options()).await, Enqueued::Full);
    // whoever looked for why was told that all was ready
    let warnings = async || queue.info().await.unwrap().warnings.concat();
    assert!(warnings().await.contains("its memory is full"), "{}", warnings().await);
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
    assert!(!warnings().await.contains("its memory is full"), "{}", warnings().await);
    assert_eq!(put(&queue, "b", options()).await, Enqueued::Queued);
}

/// What it says before it closes was thrown away, and the first call on such a connection looked as if it had been lost.
#[tokio::test]
async fn a_server_that_takes_no_more_clients_in_is_told_as_such_and_nothing_was_sent() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    server.say(&["config", "set", "maxclients", "1"]);
    for url in [server.url(), format!("redis://:secret@127.0.0.1:{}/3", server.port)] {
        let error = RedisQueue::connect(&url).await.unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, QueueError::Unreachable(_)), "{words}");
        assert!(words.contains("max number of clients") && words.contains("maxclients"), "{words}");
        assert!(!words.contains("secret"), "{words}");
    }
}

#[tokio::test]
async fn no_server_is_told_with_its_address_and_what_to_do() {
    let nobody = free_port();
    for (url, address) in [
        (format!("127.0.0.1:{nobody}"), format!("127.0.0.1:{nobody}")),
        ("redis+unix:///nowhere/redis.sock".to_owned(), "/nowhere/redis.sock".to_owned()),
    ] {
        let error = RedisQueue::connect(&url).await.unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, QueueError::Unreachable(_)), "{words}");
        assert!(words.contains(&address) && words.contains("is a Redis running there?"), "{words}");
    }
}

#[tokio::test]
async fn what_is_no_redis_is_told_to_be_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        }
    });
    let error = RedisQueue::connect(&format!("127.0.0.1:{port}")).await.unwrap_err().to_string();
    assert!(error.contains(&port.to_string()) && error.contains("is it the port of a Redis"), "{error}");
}

#[tokio::test]
async fn a_server_that_may_evict_tasks_is_told_of() {
    let server = Server::start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let warnings = server.queue().await.info().await.unwrap().warnings;
    assert!(warnings.iter().any(|text| text.contains("allkeys-lru") && text.contains("noeviction")));
}

/// All that was said was that some operation met some wrong kind of value.
#[tokio::test]
async fn a_key_of_another_program_under_our_prefix_is_named() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    for key in ["tf:{tasks}:delayed", "tf:{tasks}:ready:50", "tf:{tasks}:meta"] {
        server.say(&["del", key]);
        server.say(&["set", key, "theirs"]);
        let error = queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap_err();
        assert!(matches!(&error, QueueError::Corrupt(words) if words.contains(key)), "{error}");
        server.say(&["del", key]);
    }
    server.say(&["del", "tf:layout"]);
    server.say(&["lpush", "tf:layout", "theirs"]);
    let error = RedisQueue::connect(&format!("127.0.0.1:{}", server.port)).await.unwrap_err();
    assert!(matches!(&error, QueueError::Corrupt(words) if words.contains("tf:layout")), "{error}");
    server.say(&["del", "tf:layout"]);
    server.say(&["set", "tf:layout", "2.0"]);
    let error = RedisQueue::connect(&format!("127.0.0.1:{}", server.port)).await.unwrap_err();
    assert!(matches!(&error, QueueError::Refused(words) if words.contains("upgrade")), "{error}");
}
