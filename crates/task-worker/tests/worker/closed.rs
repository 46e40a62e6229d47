//! A worker that is told that it is closed: what it holds is others', and it goes on.

use std::{sync::Arc, time::Duration};

use task_queue_memory::MemoryQueue;
use task_worker::{
    core::{Incarnation, Name, Queue as _, TaskStatus},
    prelude::*,
};
use tokio::sync::{Notify, mpsc};

use crate::{Number, SOON, eventually, in_time, with_worker};

/// Tells of its drop.
struct Told(mpsc::UnboundedSender<&'static str>);
impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

/// Its first attempt never ends by itself.
fn hangs_at_first(says: mpsc::UnboundedSender<&'static str>) -> TaskRegistry {
    TaskRegistry::new().register_fn(move |number: Number, ctx| async move {
        let _told = Told(says.clone());
        let _ = says.send("started");
        if ctx.attempt() == 1 { std::future::pending().await } else { Ok(number.n) }
    })
}

#[tokio::test]
async fn a_worker_that_was_released_drops_its_tasks_and_goes_on_as_another() {
    let memory = MemoryQueue::new();
    let (queue, start) = (TaskQueue::new(memory.clone()), Incarnation::new());
    let (says, mut said) = mpsc::unbounded_channel();
    let test = async {
        let number = queue.enqueue(Number { n: 7 }).await.unwrap();
        assert_eq!(said.recv().await, Some("started"));
        assert_eq!(memory.release(&Name::DEFAULT_QUEUE, start).await.unwrap(), 1);
        assert_eq!(number.result(SOON).await.unwrap(), 7);
        let record = number.message().await.unwrap().unwrap();
        assert_eq!((record.attempts, record.crashes, record.releases), (2, 1, 0));
        let rest: Vec<_> = [said.recv().await, said.recv().await, said.recv().await].into();
        assert_eq!(rest.iter().flatten().filter(|word| **word == "dropped").count(), 2, "{rest:?}");
        let workers = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap().workers;
        assert_eq!(workers.len(), 1);
        assert_ne!(workers[0].incarnation.id(), start.id(), "release closes every generation");
    };
    with_worker(&queue, hangs_at_first(says), |worker| worker.incarnation(start), test).await;
}

#[tokio::test]
async fn a_worker_whose_lease_ended_goes_on_under_its_next_generation() {
    let memory = MemoryQueue::new();
    let (queue, start) = (TaskQueue::new(memory.clone()), Incarnation::new());
    let (says, mut said) = mpsc::unbounded_channel();
    let set = |worker: TaskWorker| worker.incarnation(start).heartbeat_interval(Duration::from_millis(200));
    let test = async {
        let number = queue.enqueue(Number { n: 7 }).await.unwrap();
        assert_eq!(said.recv().await, Some("started"));
        // a beat that comes late, before anybody took the worker for dead, renews its lease: then once more
        eventually(|| async {
            memory.advance(Duration::from_secs(20));
            let stats = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
            (stats.totals.recovered_lease > 0).then_some(())
        })
        .await;
        assert_eq!(number.result(SOON).await.unwrap(), 7);
        let record = number.message().await.unwrap().unwrap();
        assert_eq!((record.attempts, record.crashes), (2, 1));
        let workers = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap().workers;
        assert_eq!(workers.iter().map(|worker| worker.incarnation).collect::<Vec<_>>(), [start.next()]);
    };
    with_worker(&queue, hangs_at_first(says), set, test).await;
}

#[tokio::test]
async fn what_a_closed_worker_finishes_late_changes_nothing() {
    // an attempt that outlived the lease of its worker completed the task with a result that another had to give
    let memory = MemoryQueue::new();
    let (queue, start) = (TaskQueue::new(memory.clone()), Incarnation::new());
    let (started, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (start_told, finish_heard) = (started.clone(), finish.clone());
    // it heeds no cancel, as blocking code may not
    let registry = TaskRegistry::new().register_blocking(move |_: Number, ctx| {
        if ctx.attempt() > 1 {
            return Ok(2);
        }
        start_told.notify_one();
        tokio::runtime::Handle::current().block_on(finish_heard.notified());
        Ok(1)
    });
    let test = async {
        let number = queue.enqueue(Number { n: 0 }).await.unwrap();
        started.notified().await;
        memory.release(&Name::DEFAULT_QUEUE, start).await.unwrap();
        let record = eventually(|| async {
            let record = number.message().await.unwrap().unwrap();
            (record.status == TaskStatus::Completed).then_some(record)
        });
        assert_eq!(record.await.attempts, 2);
        finish.notify_one();
        assert_eq!(in_time(number.result(SOON)).await.unwrap(), 2);
    };
    with_worker(&queue, registry, |worker| worker.incarnation(start).concurrency(2), test).await;
    assert_eq!(memory.stats(&Name::DEFAULT_QUEUE).await.unwrap().totals.completed, 1);
}
