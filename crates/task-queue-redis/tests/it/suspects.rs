//! Tasks whose worker died under them twice run alone in their process, however they came to wait again.

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{server::Server, stage::*};

/// A worker that claims this many, and its claims' number.
async fn take(queue: &RedisQueue, worker: Incarnation, number: u64, tasks: usize, idle: bool) -> Claimed {
    let mut claim = claim(worker, number);
    (claim.max_tasks, claim.idle) = (tasks, idle);
    queue.dequeue(claim).await.unwrap()
}

/// A task under which two workers have died.
async fn suspect(queue: &RedisQueue, text: &str) {
    put(queue, text, options()).await;
    for _ in 0..2 {
        let worker = Incarnation::new();
        assert_eq!(take(queue, worker, 1, 1, true).await.tasks.len(), 1);
        assert_eq!(queue.release(&Q, worker).await.unwrap(), 1);
    }
}

/// After a retry, a release or an unknown name a suspect came back among the others, and took them along.
#[tokio::test]
async fn a_suspect_stays_one_after_a_retry_a_release_and_an_unknown_name() {
    for outcome in [retry_in(0), Outcome::Released, Outcome::NameUnknown] {
        let server = Server::start(&[]);
        let queue = server.queue().await;
        suspect(&queue, "poison").await;
        let first = Incarnation::new();
        let got = take(&queue, first, 1, 9, true).await.tasks;
        assert!(got[0].suspect);
        settle(&queue, &got[0], outcome.clone()).await;
        put(&queue, "good", options()).await;

        let busy = Incarnation::new();
        let got = take(&queue, busy, 1, 9, false).await;
        assert_eq!(got.tasks.len(), 1, "{outcome:?}: the good one alone");
        assert_eq!(got.tasks[0].record.id, id("good"));
        assert!(got.run_empty, "{outcome:?}: it is asked to run empty for the other");
        settle(&queue, &got.tasks[0], completed()).await;

        put(&queue, "more", options()).await;
        let got = take(&queue, busy, 2, 9, true).await.tasks;
        assert_eq!((got.len(), got[0].record.id.to_string().as_str()), (1, "poison"), "{outcome:?}");
        assert_eq!(take(&queue, busy, 3, 9, false).await.tasks.len(), 0, "{outcome:?}: nothing beside it");
        settle(&queue, &got[0], completed()).await;
        assert_eq!(take(&queue, busy, 4, 9, true).await.tasks.len(), 1, "{outcome:?}");
    }
}
