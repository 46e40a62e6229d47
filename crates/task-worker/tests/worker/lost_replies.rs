//! Every call may be sent again: at-least-once is proved against a network that loses answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use task_queue_memory::MemoryQueue;
use task_testkit::{Hostile, Method, Mishap};
use task_worker::{
    core::{Command, ControlAnswer, Incarnation, Name, Queue as _, TaskStatus, Totals, WorkerCommand},
    prelude::*,
};

use crate::{Mail, Number, SOON, eventually, watched::Watched, with_worker};

const TASKS: u32 = 24;

/// Completes, fails once, fails for good, skips: by the number.
fn end_of(n: u32) -> (TaskStatus, u32) {
    match n % 4 {
        0 => (TaskStatus::Completed, 1),
        1 => (TaskStatus::Completed, 2),
        2 => (TaskStatus::Failed, 1),
        _ => (TaskStatus::Skipped, 1),
    }
}

/// Runs tasks of every end over a network with this plan; each has to reach its one end, by as many runs as that takes.
async fn every_task_ends_once(plan: Vec<Mishap>) {
    let memory = MemoryQueue::new();
    let queue = TaskQueue::new(Hostile::new(memory.clone()).plan(plan));
    let direct = TaskQueue::new(memory.clone());
    let runs: Arc<Mutex<HashMap<u32, u32>>> = Arc::default();
    let count = runs.clone();
    let registry = TaskRegistry::new()
        .register_fn(move |number: Number, ctx| async move {
            let n = number.n;
            *count.lock().unwrap().entry(n).or_default() += 1;
            ctx.progress(0.5, "half");
            match n % 4 {
                0 => ctx.enqueue(Mail { to: n }).await.map(|_| n).map_err(Into::into),
                1 if ctx.attempt() == 1 => Err("not yet".into()),
                2 => Err(TaskError::fatal("never")),
                3 => Err(TaskError::skip("nothing to do")),
                n => Ok(n),
            }
        })
        .register_fn(|_: Mail, _| async { Ok(()) });
    let set = |worker: TaskWorker| worker.concurrency(3).heartbeat_interval(Duration::from_millis(100));
    let test = async {
        let mut numbers = Vec::new();
        for n in 0..TASKS {
            numbers.push((n, queue.enqueue(Number { n }).await.unwrap()));
        }
        for (n, number) in numbers {
            let _ = direct.handle::<Number>(number.id().clone()).result(SOON).await;
            let found = memory.result(&Name::DEFAULT_QUEUE, number.id()).await.unwrap();
            let record = found.into_found().unwrap();
            let ran = runs.lock().unwrap()[&n];
            let (status, attempts) = end_of(n);
            assert_eq!((record.status, record.attempts, ran), (status, attempts, attempts), "task {n}");
            assert_eq!((record.crashes, record.releases), (0, 0), "task {n}");
        }
    };
    with_worker(&queue, registry, set, test).await;
    let stats = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
    let mails = u64::from(TASKS / 4);
    assert_eq!(stats.totals.enqueued, u64::from(TASKS) + mails, "no follow-up is doubled");
    let ends = stats.totals.completed + stats.totals.failed + stats.totals.skipped + stats.totals.cancelled;
    assert_eq!((ends + stats.live(), stats.running), (stats.totals.enqueued, 0), "each task has one end");
    assert!(stats.workers.is_empty(), "the worker has signed off");
}

/// A mishap at every third to fifth call of any method, whichever comes then.
fn now_and_then(mishap: Mishap, pause: usize) -> Vec<Mishap> {
    (0..160).map(|n| if n % pause == 1 { mishap } else { Mishap::None }).collect()
}

#[tokio::test]
async fn answers_that_are_lost_after_their_effect_change_no_end() {
    for pause in [3, 4, 5] {
        every_task_ends_once(now_and_then(Mishap::LoseReply, pause)).await;
    }
}

#[tokio::test]
async fn calls_that_fail_before_their_effect_change_no_end() {
    for pause in [3, 4, 5] {
        every_task_ends_once(now_and_then(Mishap::Fail, pause)).await;
    }
}

#[tokio::test]
async fn calls_that_are_delivered_twice_change_no_end() {
    for pause in [2, 3] {
        every_task_ends_once(now_and_then(Mishap::Twice, pause)).await;
    }
}

#[tokio::test]
async fn a_network_with_every_mishap_changes_no_end() {
    let mishaps =
        [Mishap::LoseReply, Mishap::Twice, Mishap::None, Mishap::Fail, Mishap::LoseReply, Mishap::None];
    every_task_ends_once(mishaps.into_iter().cycle().take(90).collect()).await;
}

#[tokio::test(start_paused = true)]
async fn over_a_distance_several_claims_are_under_way_and_no_mishap_changes_an_end() {
    const MANY: u32 = 5_000;
    let watched = Watched::new();
    let mishaps = [Mishap::Fail, Mishap::LoseReply, Mishap::Twice];
    let network =
        Hostile::new(watched.clone()).distant(Duration::from_millis(2), 7).by_chance(7, 8, &mishaps);
    let (queue, direct) = (TaskQueue::new(network), TaskQueue::new(watched.memory.clone()));
    direct.enqueue_many((0..MANY).map(|n| Number { n })).await.unwrap();
    let runs: Arc<Mutex<HashMap<u32, u32>>> = Arc::default();
    let count = runs.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| {
        *count.lock().unwrap().entry(number.n).or_default() += 1;
        async move { Ok(number.n) }
    });
    let worker = TaskWorker::new(queue, registry)
        .concurrency(100)
        .heartbeat_here(true)
        .heartbeat_interval(Duration::from_millis(5));
    let drained = worker.drain().await.unwrap();
    assert_eq!((drained.completed, drained.cut_short), (u64::from(MANY), false));
    let more_than_once = runs.lock().unwrap().values().filter(|runs| **runs > 1).count();
    assert_eq!((runs.lock().unwrap().len(), more_than_once), (MANY as usize, 0));
    let stats = watched.memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
    let Totals { released, recovered_lost, recovered_lease, .. } = stats.totals;
    assert_eq!((stats.live(), released, recovered_lost, recovered_lease), (0, 0, 0, 0), "none is given back");
    let under_way = watched.seen.under_way.load(Ordering::SeqCst);
    assert!((2..=8).contains(&under_way), "{under_way} claims");
}

#[tokio::test]
async fn a_command_whose_answer_is_lost_reaches_its_worker_and_the_queue_hears_of_it() {
    // a worker that an operator had scaled went on as before, and the list of workers never told otherwise
    let memory = MemoryQueue::new();
    let plan = [Mishap::None].into_iter().chain([Mishap::LoseReply; 6]);
    let queue = TaskQueue::new(Hostile::new(memory.clone()).plan_for(Method::Heartbeat, plan));
    let start = Incarnation::new();
    let set = |worker: TaskWorker| worker.incarnation(start).heartbeat_interval(Duration::from_millis(100));
    with_worker(&queue, TaskRegistry::new(), set, async {
        let tell = Command::Tell(start, WorkerCommand::Concurrency(7));
        eventually(async || {
            let told = memory.control(&Name::DEFAULT_QUEUE, tell.clone()).await.unwrap();
            (told == ControlAnswer::Done(0)).then_some(())
        })
        .await;
        eventually(async || {
            let stats = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
            stats.workers.iter().any(|worker| worker.concurrency == 7).then_some(())
        })
        .await;
    })
    .await;
}
