//! A worker that is told to stop.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use task_queue_memory::MemoryQueue;
use task_testkit::{Hostile, Mishap};
use task_worker::{
    core::{Name, Queue as _, TaskStatus},
    prelude::*,
};
use tokio::sync::Notify;

use crate::{Mail, Number, SOON, eventually, in_time, memory};

fn numbers() -> TaskRegistry {
    TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) })
}

#[tokio::test]
async fn an_idle_worker_stops_at_once() {
    // it waited for the answer to its claim first, which waits for seconds
    let memory = MemoryQueue::new();
    let queue = TaskQueue::new(memory.clone());
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let running = tokio::spawn(
        TaskWorker::new(queue.clone(), numbers()).run_until(async move { stopped.notified().await }),
    );
    queue.enqueue(Number { n: 1 }).await.unwrap().result(SOON).await.unwrap();
    // the claim that waits is the one after the task; nothing tells of it, so several moments are tried by what runs
    let told = Instant::now();
    stop.notify_one();
    in_time(running).await.unwrap().unwrap();
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    assert!(memory.stats(&Name::DEFAULT_QUEUE).await.unwrap().workers.is_empty(), "it has signed off");
}

#[tokio::test]
async fn a_task_that_comes_while_the_worker_stops_is_not_lost_and_counts_no_crash() {
    // a claim was dropped with the tasks that it had just taken
    for round in 0..40 {
        let memory = MemoryQueue::new();
        let queue = TaskQueue::new(memory.clone());
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let worker = TaskWorker::new(queue.clone(), numbers());
        let running = tokio::spawn(worker.run_until(async move { stopped.notified().await }));
        queue.enqueue(Number { n: 0 }).await.unwrap().result(SOON).await.unwrap();
        let (first, second) = if round % 2 == 0 { (true, false) } else { (false, true) };
        if first {
            stop.notify_one();
        }
        let number = queue.enqueue(Number { n: 1 }).await.unwrap();
        if second {
            stop.notify_one();
        }
        in_time(running).await.unwrap().unwrap();
        let record = number.message().await.unwrap().unwrap();
        assert!(matches!(record.status, TaskStatus::Completed | TaskStatus::Pending), "{}", record.status);
        assert_eq!(record.crashes, 0);
    }
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_as_the_worker_stops_still_gives_its_tasks_back() {
    // the effect without the answer: the worker holds a task that it does not know
    for lost in 0..12 {
        let memory = MemoryQueue::new();
        let plan = (0..lost).map(|_| Mishap::None).chain([Mishap::LoseReply; 4]);
        let queue = TaskQueue::new(Hostile::new(memory.clone()).plan(plan));
        let number = TaskQueue::new(memory.clone()).enqueue(Number { n: 1 }).await.unwrap();
        let stop = Arc::new(Notify::new());
        stop.notify_one();
        let stopped = stop.clone();
        let worker = TaskWorker::new(queue, numbers());
        in_time(worker.run_until(async move { stopped.notified().await })).await.unwrap();
        let record = number.message().await.unwrap().unwrap();
        assert!(matches!(record.status, TaskStatus::Completed | TaskStatus::Pending), "{}", record.status);
        assert_eq!(record.crashes, 0);
    }
}

#[tokio::test]
async fn a_worker_finishes_within_the_grace_what_it_runs() {
    let (queue, started, finish) = (memory(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (start, wait) = (started.clone(), finish.clone());
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        start.notify_one();
        wait.notified().await;
        Ok(number.n)
    });
    let number = queue.enqueue(Number { n: 3 }).await.unwrap();
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let worker = TaskWorker::new(queue.clone(), registry);
    let running = tokio::spawn(worker.run_until(async move { stopped.notified().await }));
    in_time(started.notified()).await;
    stop.notify_one();
    let later = queue.enqueue(Number { n: 4 }).await.unwrap();
    finish.notify_one();
    in_time(running).await.unwrap().unwrap();
    assert_eq!(number.result(SOON).await.unwrap(), 3);
    // with the stop told first, nothing more is started
    eventually(|| async { (later.status().await.unwrap() == Some(TaskStatus::Pending)).then_some(()) }).await;
}

#[tokio::test]
async fn a_worker_whose_queue_is_away_stops_without_it() {
    let plan = std::iter::repeat_n(Mishap::Fail, 10_000);
    let queue = TaskQueue::new(Hostile::new(MemoryQueue::new()).plan(plan));
    let worker = TaskWorker::new(queue, numbers());
    let told = Instant::now();
    in_time(worker.run_until(std::future::ready(()))).await.unwrap();
    assert!(told.elapsed() < Duration::from_secs(15), "{:?}: it waited its whole grace", told.elapsed());
}

#[tokio::test]
async fn what_a_worker_can_not_stop_is_not_given_back_while_it_runs() {
    // a shutdown put tasks back that still ran, and they ran twice at the same time
    let (queue, started) = (memory(), Arc::new(Notify::new()));
    let (start, (end, ended)) = (started.clone(), std::sync::mpsc::channel::<()>());
    let ended = Arc::new(std::sync::Mutex::new(ended));
    let registry = TaskRegistry::new().register_blocking(move |number: Number, _| {
        start.notify_one();
        let _ = ended.lock().unwrap().recv();
        Ok(number.n)
    });
    let number = queue.enqueue(Number { n: 1 }).await.unwrap();
    let worker = TaskWorker::new(queue.clone(), registry).grace(Duration::from_millis(50));
    in_time(worker.run_until(async move { started.notified().await })).await.unwrap();
    let record = number.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.releases), (TaskStatus::Running, 0), "its lease gives it back");
    drop(end);
}

#[tokio::test]
async fn what_ended_just_before_the_grace_did_is_still_settled_by_a_queue_that_answers_late() {
    // the end of the grace dropped the settlements under way, and tasks that had ended came back as crashed
    for at in 0..12 {
        let memory = MemoryQueue::new();
        let plan = (0..at).map(|_| Mishap::None).chain([Mishap::Fail; 6]);
        let queue = TaskQueue::new(Hostile::new(memory.clone()).plan(plan));
        let number = TaskQueue::new(memory.clone()).enqueue(Number { n: 1 }).await.unwrap();
        let stop = Arc::new(Notify::new());
        let ran = stop.clone();
        let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
            ran.notify_one();
            Ok(number.n)
        });
        let worker = TaskWorker::new(queue, registry).grace(Duration::ZERO);
        in_time(worker.run_until(async move { stop.notified().await })).await.unwrap();
        let record = number.message().await.unwrap().unwrap();
        assert!(matches!(record.status, TaskStatus::Completed | TaskStatus::Pending), "{at}: {record:?}");
        assert_eq!((record.crashes, record.failures), (0, 0));
    }
}

#[tokio::test]
async fn a_task_that_heeds_the_stop_of_its_worker_is_given_back() {
    // a deploy cancelled for good what had ended as the context asks: nobody had cancelled it, and it never ran again
    for error in [TaskError::cancelled, || TaskError::fatal("half done")] {
        let (queue, started) = (memory(), Arc::new(Notify::new()));
        let start = started.clone();
        let registry = TaskRegistry::new().register_fn(move |_: Number, ctx: TaskContext| async move {
            start.notify_one();
            ctx.cancelled().await;
            Err(error())
        });
        let number = queue.enqueue(Number { n: 1 }).await.unwrap();
        let worker = TaskWorker::new(queue.clone(), registry).grace(Duration::ZERO);
        in_time(worker.run_until(async move { started.notified().await })).await.unwrap();
        let record = number.message().await.unwrap().unwrap();
        assert_eq!((record.status, record.releases, record.failures), (TaskStatus::Pending, 1, 0));
    }
}

#[tokio::test]
async fn a_worker_told_to_stop_twice_gives_back_at_once_what_it_runs_whether_it_serves_or_drains() {
    // whoever heard two signals dropped the worker, and its tasks waited for the end of its lease, counted as crashes
    for drains in [false, true] {
        let (queue, started) = (memory(), Arc::new(Notify::new()));
        let start = started.clone();
        let registry = TaskRegistry::new().register_fn(move |_: Number, _| async move {
            start.notify_one();
            std::future::pending::<TaskResult<u32>>().await
        });
        let number = queue.enqueue(Number { n: 1 }).await.unwrap();
        let worker = TaskWorker::new(queue.clone(), registry).grace(10 * SOON);
        let stop = worker.stop_handle();
        let tell = async {
            started.notified().await;
            stop.stop();
            stop.stop();
        };
        let run = async {
            if drains {
                assert!(worker.drain().await.unwrap().cut_short);
            } else {
                worker.run_until(std::future::pending()).await.unwrap();
            }
        };
        in_time(async { tokio::join!(run, tell) }).await;
        let record = number.message().await.unwrap().unwrap();
        assert_eq!((record.status, record.releases, record.crashes), (TaskStatus::Pending, 1, 0), "{drains}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_dropped_starts_nothing_more_of_what_waits_in_it() {
    // what ran its attempts went on with those that waited for a thread
    let (queue, starts, ends) = (memory(), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (begun, gate) = (starts.clone(), Arc::new(OnceLock::new()));
    let (ended, waits) = (ends.clone(), gate.clone());
    let registry = TaskRegistry::new().register_blocking(move |number: Number, _| {
        begun.fetch_add(1, Ordering::SeqCst);
        waits.wait();
        ended.fetch_add(1, Ordering::SeqCst);
        Ok(number.n)
    });
    // with a task of another kind it takes more than it has threads for
    let registry = registry.register_fn(|_: Mail, _| async { Ok(()) });
    queue.enqueue_many((0..100).map(|n| Number { n })).await.unwrap();
    let worker = TaskWorker::new(queue.clone(), registry).concurrency(100).blocking_concurrency(1);
    let running = tokio::spawn(worker.run());
    eventually(async || (starts.load(Ordering::SeqCst) > 0).then_some(())).await;
    running.abort();
    assert!(in_time(running).await.unwrap_err().is_cancelled());
    gate.set(()).unwrap();
    // so that each of them could have started after the one before
    for _ in 0..200 {
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
    eventually(async || (ends.load(Ordering::SeqCst) == starts.load(Ordering::SeqCst)).then_some(())).await;
    assert_eq!(starts.load(Ordering::SeqCst), 1);
}
