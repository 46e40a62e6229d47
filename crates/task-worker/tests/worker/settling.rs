//! How ends of attempts get to the queue.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use task_worker::{
    core::{Name, Queue as _},
    prelude::*,
};

use crate::{Number, SOON, eventually, log::Log, watched::Watched, with_worker};

#[tokio::test]
async fn ends_are_settled_many_at_once_and_bring_the_next_tasks_along() {
    const TASKS: u32 = 1000;
    let watched = Watched::new();
    let queue = TaskQueue::new(watched.clone());
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) });
    let numbers = queue.enqueue_many((0..TASKS).map(|n| Number { n })).await.unwrap();
    with_worker(&queue, registry, |worker| worker.concurrency(64), async {
        for number in &numbers {
            number.result(SOON).await.unwrap();
        }
    })
    .await;
    let seen = |count: &AtomicU32| count.load(Ordering::SeqCst);
    let calls = (seen(&watched.seen.settles), seen(&watched.seen.claims));
    assert!(calls.0 <= TASKS / 8 && calls.1 <= TASKS / 8, "{calls:?} settles and claims");
}

#[tokio::test]
async fn a_worker_whose_ends_are_not_taken_stops_claiming_and_loses_none_of_them() {
    // a worker whose queue took nothing went on running tasks, and lost thousands of results when it was ended
    const SLOTS: u32 = 2;
    let watched = Watched::new();
    let (queue, runs) = (TaskQueue::new(watched.clone()), Arc::new(AtomicU32::new(0)));
    let count = runs.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(number.n)
    });
    watched.seen.settles_fail.store(true, Ordering::SeqCst);
    let numbers = queue.enqueue_many((0..100).map(|n| Number { n })).await.unwrap();
    with_worker(&queue, registry, |worker| worker.concurrency(SLOTS), async {
        // it has stopped when it claims nothing between one try to settle and the next but one
        let seen = |count: &AtomicU32| count.load(Ordering::SeqCst);
        let look = || (seen(&watched.seen.claims), seen(&runs), seen(&watched.seen.settles_refused));
        let mut before = look();
        eventually(async || {
            let now = look();
            if (now.0, now.1) != (before.0, before.1) {
                before = now;
            }
            (now.1 > 0 && now.2 >= before.2 + 2).then_some(())
        })
        .await;
        let ran = runs.load(Ordering::SeqCst);
        assert!(ran <= 6 * SLOTS, "{ran} tasks ran");
        watched.seen.settles_fail.store(false, Ordering::SeqCst);
        for number in &numbers {
            number.result(SOON).await.unwrap();
        }
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 100, "each ran once");
    assert_eq!(watched.memory.stats(&Name::DEFAULT_QUEUE).await.unwrap().totals.completed, 100);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_a_backend_forgot_to_answer_is_told_of_and_settled_again() {
    // the answers were laid beside the ends one by one: an end without one passed for settled, and its task stayed RUNNING
    let (log, watched) = (Log::default(), Watched::new());
    let _guard = log.listen();
    let queue = TaskQueue::new(watched.clone());
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) });
    watched.seen.ends_forgotten.store(1, Ordering::SeqCst);
    let number = queue.enqueue(Number { n: 7 }).await.unwrap();
    with_worker(&queue, registry, |worker| worker.heartbeat_here(true), async {
        assert_eq!(number.result(SOON).await.unwrap(), 7);
    })
    .await;
    assert!(log.lines().contains("0 answers to 1 ends"), "{}", log.lines());
}
