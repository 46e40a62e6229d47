//! How many tasks run at once.

use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use task_queue_memory::MemoryQueue;
use task_worker::{
    core::{Command, Incarnation, Name, Queue as _, TaskStatus, WorkerCommand},
    prelude::*,
};
use tokio::sync::{Notify, oneshot};

use crate::{Mail, Number, SOON, eventually, in_time, memory, with_worker};

#[tokio::test]
async fn workers_with_blocking_code_alone_take_a_core_each_and_share_a_small_batch() {
    // the first of four workers took the whole batch of commands, and ran them on two cores
    const WORKERS: usize = 4;
    let cores = thread::available_parallelism().unwrap().get();
    let (queue, together) = (memory(), Arc::new(Barrier::new(WORKERS * cores)));
    let mut numbers = Vec::new();
    for n in 0..(WORKERS * cores) as u32 {
        numbers.push(queue.enqueue(Number { n }).await.unwrap());
    }
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let meet = together.clone();
        let registry = TaskRegistry::new().register_blocking(move |number: Number, _| {
            meet.wait(); // each of them has to run for one to go on
            Ok(number.n)
        });
        running.spawn(TaskWorker::new(queue.clone(), registry).run());
    }
    for number in numbers {
        number.result(SOON).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_started_at_once_is_not_claimed() {
    let memory = MemoryQueue::new();
    let queue = TaskQueue::new(memory.clone());
    let finish = Arc::new(Notify::new());
    let wait = finish.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        wait.notified().await;
        Ok(number.n)
    });
    let mut numbers = Vec::new();
    for n in 0..12 {
        numbers.push(queue.enqueue(Number { n }).await.unwrap());
    }
    with_worker(&queue, registry, |worker| worker.concurrency(3), async {
        for done in 0..12_u64 {
            let running = eventually(|| async {
                let stats = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
                (stats.completed == done && stats.running == (12 - done).min(3)).then_some(stats.pending)
            });
            assert_eq!(running.await, 12 - done - (12 - done).min(3));
            finish.notify_one();
        }
        for number in &numbers {
            number.result(SOON).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_worker_shows_as_many_slots_as_can_run() {
    // a worker with commands alone showed 64 slots, and never ran more than two
    let blocking = || TaskRegistry::new().register_blocking(|number: Number, _| Ok(number.n));
    let mixed = || blocking().register_fn(|_: Mail, _| async { Ok(()) });
    for (registry, shown) in [(blocking(), 2), (mixed(), 64)] {
        let memory = MemoryQueue::new();
        let set = |worker: TaskWorker| worker.concurrency(64).blocking_concurrency(2);
        with_worker(&TaskQueue::new(memory.clone()), registry, set, async {
            let slots = eventually(async || {
                let stats = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
                stats.workers.first().map(|worker| worker.concurrency)
            });
            assert_eq!(slots.await, shown);
        })
        .await;
    }
}

/// A worker with one core for blocking code, on which the first task stays until it is told to end.
struct OneCore {
    queue: TaskQueue,
    registry: TaskRegistry,
    started: Arc<Notify>,
    deadline: Arc<Mutex<Option<Instant>>>,
    end: oneshot::Sender<()>,
}

fn one_core() -> OneCore {
    let (end, ended) = oneshot::channel();
    let (started, deadline) = (Arc::new(Notify::new()), Arc::<Mutex<Option<Instant>>>::default());
    let (start, noted, first) = (started.clone(), deadline.clone(), Arc::new(Mutex::new(Some(ended))));
    let registry = TaskRegistry::new()
        .register_blocking(move |number: Number, ctx| {
            if number.n == 0 {
                start.notify_one();
                let ended = first.lock().unwrap().take();
                ended.map(oneshot::Receiver::blocking_recv);
            } else {
                *noted.lock().unwrap() = ctx.deadline();
            }
            Ok(number.n)
        })
        .register_fn(|_: Mail, _| async { Ok(()) });
    OneCore { queue: memory(), registry, started, deadline, end }
}

fn set(worker: TaskWorker) -> TaskWorker {
    worker.concurrency(8).blocking_concurrency(1)
}

#[tokio::test]
async fn blocking_code_waits_for_a_core_outside_its_timeout_and_holds_up_no_async_task() {
    // tasks that waited for a thread failed by their timeout, without having run
    const TIMEOUT: Duration = Duration::from_secs(20);
    let OneCore { queue, registry, started, deadline, end } = one_core();
    let test = async {
        let first = queue.enqueue(Number { n: 0 }).await.unwrap();
        started.notified().await;
        let second = queue.enqueue(Number { n: 1 }).timeout(TIMEOUT).await.unwrap();
        queue.enqueue(Mail { to: 1 }).await.unwrap().result(SOON).await.unwrap();
        assert_eq!(
            second.status().await.unwrap(),
            Some(TaskStatus::Running),
            "it was claimed before the mail"
        );
        let free = Instant::now();
        end.send(()).unwrap();
        first.result(SOON).await.unwrap();
        second.result(SOON).await.unwrap();
        assert!(deadline.lock().unwrap().unwrap() >= free + TIMEOUT);
    };
    with_worker(&queue, registry, set, test).await;
}

#[tokio::test]
async fn a_task_that_waits_for_a_core_is_cancelled_at_once() {
    let OneCore { queue, registry, started, end, .. } = one_core();
    let test = async {
        let first = queue.enqueue(Number { n: 0 }).await.unwrap();
        started.notified().await;
        let second = queue.enqueue(Number { n: 1 }).await.unwrap();
        eventually(|| async { (second.status().await.unwrap() == Some(TaskStatus::Running)).then_some(()) })
            .await;
        second.cancel().await.unwrap();
        assert!(second.result(SOON).await.is_err());
        assert_eq!(second.status().await.unwrap(), Some(TaskStatus::Cancelled));
        assert_eq!(first.status().await.unwrap(), Some(TaskStatus::Running));
        end.send(()).unwrap();
        first.result(SOON).await.unwrap();
    };
    with_worker(&queue, registry, set, test).await;
}

#[tokio::test]
async fn a_worker_that_stops_gives_back_at_once_what_waits_for_a_core() {
    let OneCore { queue, registry, started, end, .. } = one_core();
    let first = queue.enqueue(Number { n: 0 }).await.unwrap();
    let second = queue.enqueue(Number { n: 1 }).await.unwrap();
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let worker = set(TaskWorker::new(queue.clone(), registry));
    let running = tokio::spawn(worker.run_until(async move { stopped.notified().await }));
    in_time(started.notified()).await;
    stop.notify_one();
    let record = eventually(|| async {
        let record = second.message().await.unwrap().unwrap();
        (record.status == TaskStatus::Pending && record.attempts == 1).then_some(record)
    });
    assert_eq!(record.await.releases, 1);
    assert_eq!(first.status().await.unwrap(), Some(TaskStatus::Running));
    end.send(()).unwrap();
    in_time(running).await.unwrap().unwrap();
    assert_eq!(first.status().await.unwrap(), Some(TaskStatus::Completed), "what ran was finished");
}

#[tokio::test]
async fn short_tasks_are_claimed_ahead_and_each_runs_once() {
    let (queue, runs) = (memory(), Arc::new(AtomicU32::new(0)));
    let count = runs.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(number.n)
    });
    let numbers = queue.enqueue_many((0..500).map(|n| Number { n })).await.unwrap();
    with_worker(&queue, registry, |worker| worker.concurrency(2), async {
        for number in &numbers {
            number.result(SOON).await.unwrap();
        }
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 500);
}

#[tokio::test]
async fn what_was_claimed_ahead_is_given_back_when_the_slots_stay_taken() {
    // short tasks before them made a worker claim ahead, and they lay behind one that took an hour
    let (queue, end) = (memory(), Arc::new(Notify::new()));
    let hour = end.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        if number.n == 1000 {
            hour.notified().await;
        }
        Ok(number.n)
    });
    let short = queue.enqueue_many((0..50).map(|n| Number { n })).await.unwrap();
    let long = queue.enqueue(Number { n: 1000 }).await.unwrap();
    let behind = queue.enqueue_many((0..3).map(|n| Number { n })).await.unwrap();
    let (start, beat) = (Incarnation::new(), Duration::from_millis(10));
    let set = |worker: TaskWorker| worker.concurrency(1).incarnation(start).heartbeat_interval(beat);
    with_worker(&queue, registry, set, async {
        for number in &short {
            number.result(SOON).await.unwrap();
        }
        for number in &behind {
            eventually(|| async {
                // all that the worker heard made the time that they had waited begin anew
                let told = Command::Tell(start, WorkerCommand::Resume);
                queue.control(&Name::DEFAULT_QUEUE, told).await.unwrap();
                (number.status().await.unwrap() == Some(TaskStatus::Pending)).then_some(())
            })
            .await;
        }
        assert_eq!(long.status().await.unwrap(), Some(TaskStatus::Running));
        end.notify_one();
        for number in &behind {
            number.result(SOON).await.unwrap();
        }
    })
    .await;
}
