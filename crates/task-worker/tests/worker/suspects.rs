//! Tasks under which workers died run alone in their process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use task_queue_memory::MemoryQueue;
use task_testkit::Sim;
use task_worker::{
    core::{Name, Queue as _},
    prelude::*,
};

use crate::{Mail, Number, SOON, with_worker};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Two tasks whose workers died twice, among neighbours in each of these queues: none may run beside a suspect.
async fn suspects_run_alone(queues: &[&'static str]) {
    let memory = MemoryQueue::new();
    let queue = TaskQueue::new(memory.clone());
    let mut suspects = Vec::new();
    for n in 0..2 {
        suspects.push(queue.enqueue(Number { n }).queue(queues[0]).await.unwrap());
    }
    for _ in 0..2 {
        let mut victim = Sim::knowing(&memory, "victim", &["number"]);
        victim.queue = name(queues[0]);
        assert_eq!(victim.claim(2).await.len(), 2);
        assert_eq!(victim.release().await, 2);
    }
    let mut neighbours = Vec::new();
    for to in 0..30 {
        neighbours.push(queue.enqueue(Mail { to }).queue(queues[to as usize % queues.len()]).await.unwrap());
    }

    let running = Arc::new(AtomicU32::new(0));
    let (beside, others) = (running.clone(), running);
    let registry = TaskRegistry::new()
        .register_fn(move |number: Number, _| async move {
            assert_eq!(beside.fetch_add(1, Ordering::SeqCst), 0, "another runs beside it");
            tokio::time::sleep(Duration::from_millis(60)).await;
            assert_eq!(beside.fetch_sub(1, Ordering::SeqCst), 1, "another was started beside it");
            Ok(number.n)
        })
        .register_fn(move |_: Mail, _| async move {
            others.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            others.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
    let set = |worker: TaskWorker| {
        let worker = worker.queues(queues.iter().map(|queue| (name(queue), 1)));
        worker.concurrency(4).heartbeat_interval(Duration::from_millis(200))
    };
    let test = async {
        for (n, suspect) in suspects.iter().enumerate() {
            assert_eq!(suspect.result(SOON).await.unwrap(), n as u32);
            let record = suspect.message().await.unwrap().unwrap();
            assert_eq!((record.attempts, record.crashes, record.failures), (3, 2, 0));
        }
        for neighbour in &neighbours {
            neighbour.result(SOON).await.unwrap();
            assert_eq!(neighbour.message().await.unwrap().unwrap().attempts, 1);
        }
    };
    with_worker(&queue, registry, set, test).await;
    assert_eq!(memory.stats(&name(queues[0])).await.unwrap().live(), 0);
}

#[tokio::test]
async fn suspects_run_alone_and_neighbours_go_on_after_them() {
    suspects_run_alone(&["tasks"]).await;
}

#[tokio::test]
async fn a_suspect_of_one_queue_runs_beside_no_task_of_another() {
    suspects_run_alone(&["tasks", "mail", "images"]).await;
}
