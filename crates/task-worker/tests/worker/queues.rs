//! One worker on several named queues.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use task_worker::{core::Name, prelude::*};
use tokio::sync::Barrier;

use crate::{Number, SOON, memory, with_worker};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn on(worker: TaskWorker, queues: &[(&str, u32)], slots: u32) -> TaskWorker {
    worker.queues(queues.iter().map(|(queue, weight)| (name(queue), *weight))).concurrency(slots)
}

#[tokio::test]
async fn queues_with_more_tasks_than_slots_are_served_by_weight() {
    let (queue, order) = (memory(), Arc::new(Mutex::new(String::new())));
    let noted = order.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, ctx| async move {
        noted.lock().unwrap().push_str(ctx.queue_name().as_str());
        Ok(number.n)
    });
    let mut numbers = Vec::new();
    for n in 0..200 {
        numbers.push(queue.enqueue(Number { n }).queue("a").await.unwrap());
        numbers.push(queue.enqueue(Number { n }).queue("b").await.unwrap());
    }
    with_worker(&queue, registry, |worker| on(worker, &[("a", 3), ("b", 1)], 4), async {
        for number in &numbers {
            number.result(SOON).await.unwrap();
        }
    })
    .await;
    let order = order.lock().unwrap();
    let first = order[..200].matches('a').count();
    assert!((130..=170).contains(&first), "{first} of the first 200 are of the queue with weight 3: {order}");
}

#[tokio::test]
async fn a_queue_with_nothing_in_it_holds_no_slot() {
    // a claim that waited on an empty queue kept half of the slots from the one that had tasks
    const SLOTS: u32 = 4;
    let queue = memory();
    let together = Arc::new(Barrier::new(SLOTS as usize));
    let meet = together.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        meet.wait().await;
        Ok(number.n)
    });
    with_worker(&queue, registry, |worker| on(worker, &[("a", 1), ("b", 1), ("c", 9)], SLOTS), async {
        let mut numbers = Vec::new();
        for n in 0..SLOTS * 5 {
            numbers.push(queue.enqueue(Number { n }).queue("a").await.unwrap());
        }
        for number in numbers {
            number.result(SOON).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_quiet_queue_is_served_while_another_always_has_more() {
    let (queue, done) = (memory(), Arc::new(AtomicU32::new(0)));
    let count = done.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, ctx| async move {
        // a queue that never runs dry
        if ctx.queue_name() == "busy" {
            ctx.enqueue(Number { n: 0 }).queue("busy").await?;
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(number.n)
    });
    for n in 0..20 {
        queue.enqueue(Number { n }).queue("busy").await.unwrap();
    }
    with_worker(&queue, registry, |worker| on(worker, &[("busy", 9), ("quiet", 1)], 1), async {
        for n in 0..5 {
            let number = queue.enqueue(Number { n }).queue("quiet").await.unwrap();
            assert_eq!(number.result(SOON).await.unwrap(), n);
        }
    })
    .await;
    assert!(done.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn with_one_slot_every_quiet_queue_is_waited_on_in_turn() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) });
    with_worker(&queue, registry, |worker| on(worker, &[("a", 1), ("b", 1), ("c", 1)], 1), async {
        for (n, queue_name) in (0..).zip(["c", "a", "b", "b", "a", "c"]) {
            let number = queue.enqueue(Number { n }).queue(queue_name).await.unwrap();
            assert_eq!(number.result(SOON).await.unwrap(), n);
        }
    })
    .await;
}
