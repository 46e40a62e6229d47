//! The sign of life, and what comes with its answer.

use std::{
    sync::{Arc, Barrier, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use task_worker::{
    core::{Command, ControlAnswer, Incarnation, Name, Queue as _, TaskStatus, WorkerCommand},
    prelude::*,
};
use tokio::sync::{Notify, mpsc};

use crate::{Number, SOON, eventually, log::Log, memory, watched::Watched, with_worker};

const BEAT: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_beats_on_a_connection_of_its_own_while_every_thread_of_its_runtime_is_blocked() {
    // a busy loop in a task kept its worker from beating, and the task was run again elsewhere
    let watched = Watched::new();
    let (queue, seen, all) =
        (TaskQueue::new(watched.clone()), watched.seen.clone(), Arc::new(Barrier::new(2)));
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| {
        let seen = watched.seen;
        async move {
            all.wait();
            let before = seen.own_beats.load(Ordering::SeqCst);
            while seen.own_beats.load(Ordering::SeqCst) < before + 3 {
                thread::yield_now();
            }
            Ok(number.n)
        }
    });
    let test = async {
        let both = queue.enqueue_many([Number { n: 0 }, Number { n: 1 }]).await.unwrap();
        for number in both {
            number.result(SOON).await.unwrap();
            assert_eq!(number.message().await.unwrap().unwrap().attempts, 1);
        }
    };
    with_worker(&queue, registry, |worker| worker.heartbeat_interval(BEAT), test).await;
    assert_eq!(seen.other_beats.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_cancel_ends_a_running_task_within_a_second_and_one_that_heeds_none_after_a_grace() {
    let (queue, started) = (memory(), Arc::new(Notify::new()));
    let start = started.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, ctx| async move {
        start.notify_one();
        if number.n == 1 {
            ctx.cancelled().await;
            return Err(TaskError::cancelled());
        }
        std::future::pending().await
    });
    // the usual heartbeat of 3 s: the cancel is pushed
    with_worker(&queue, registry, |worker| worker, async {
        for (n, least, most) in [(1, 0, 1), (0, 4, 8)] {
            let number = queue.enqueue(Number { n }).await.unwrap();
            started.notified().await;
            let asked = Instant::now();
            number.cancel().await.unwrap();
            assert!(number.result(SOON).await.is_err());
            let took = asked.elapsed().as_secs();
            assert!((least..most).contains(&took), "{n}: {took} s");
            let record = number.message().await.unwrap().unwrap();
            assert_eq!((record.status, record.failures), (TaskStatus::Cancelled, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn how_far_a_task_is_arrives_with_the_next_heartbeat() {
    let (queue, finish) = (memory(), Arc::new(Notify::new()));
    let wait = finish.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, ctx| async move {
        ctx.progress(0.25, "one of four");
        wait.notified().await;
        Ok(number.n)
    });
    let test = async {
        let number = queue.enqueue(Number { n: 4 }).await.unwrap();
        let progress = eventually(async || number.message().await.unwrap().unwrap().progress).await;
        assert_eq!((progress.fraction, progress.note.as_str()), (0.25, "one of four"));
        finish.notify_one();
        number.result(SOON).await.unwrap();
    };
    with_worker(&queue, registry, |worker| worker.heartbeat_interval(BEAT), test).await;
}

#[tokio::test]
async fn a_worker_says_at_its_start_what_its_queue_can_not_do() {
    let (log, watched) = (Log::default(), Watched::new());
    let _guard = log.listen();
    for (has_a_gap, lines) in [(false, 0), (true, 1)] {
        watched.seen.has_a_gap.store(has_a_gap, Ordering::SeqCst);
        let said = async || log.lines().lines().filter(|line| line.contains("priorities")).count();
        with_worker(&TaskQueue::new(watched.clone()), TaskRegistry::new(), |worker| worker, async {
            let beats = watched.seen.own_beats.load(Ordering::SeqCst);
            eventually(async || (watched.seen.own_beats.load(Ordering::SeqCst) > beats).then_some(())).await;
            eventually(async || (said().await == lines).then_some(())).await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_task_whose_end_its_queue_has_lost_runs_again_while_its_worker_goes_on() {
    // the worker had long forgotten it, and it stayed RUNNING until that worker was restarted
    let (watched, finish) = (Watched::new(), Arc::new(Notify::new()));
    let wait = finish.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        if number.n == 0 {
            wait.notified().await; // so that the worker is never idle
        }
        Ok(number.n)
    });
    let queue = TaskQueue::new(watched.clone());
    watched.seen.ends_lost.store(2, Ordering::SeqCst);
    let test = async {
        let all = queue.enqueue_many((0..4).map(|n| Number { n })).await.unwrap();
        for number in &all[1..] {
            number.result(SOON).await.unwrap();
        }
        let stats = watched.memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
        assert_eq!((stats.running, stats.totals.recovered_lost), (1, 2));
        finish.notify_one();
        all[0].result(SOON).await.unwrap();
        let record = all[0].message().await.unwrap().unwrap();
        assert_eq!((record.attempts, record.crashes), (1, 0), "what is held is left alone");
    };
    with_worker(&queue, registry, |worker| worker.heartbeat_interval(BEAT), test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_heartbeat_takes_from_its_worker_what_it_has_however_often_it_beats() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move {
        if number.n.is_multiple_of(7) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(number.n)
    });
    let often = Duration::from_micros(100);
    with_worker(&queue, registry, |worker| worker.heartbeat_interval(often), async {
        for _ in 0..20 {
            let all = queue.enqueue_many((0..500).map(|n| Number { n })).await.unwrap();
            for number in all {
                number.result(SOON).await.unwrap();
            }
        }
    })
    .await;
    let totals = queue.stats(&Name::DEFAULT_QUEUE).await.unwrap().totals;
    assert_eq!((totals.completed, totals.recovered_lost), (10_000, 0));
}

/// Says of each task that it started; it ends when it is told to.
struct Held {
    watched: Watched,
    worker: Incarnation,
    started: mpsc::UnboundedReceiver<u32>,
    finish: Arc<Notify>,
}

impl Held {
    fn new() -> (Self, TaskRegistry) {
        let (says, started) = mpsc::unbounded_channel();
        let finish = Arc::new(Notify::new());
        let wait = finish.clone();
        let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
            let _ = says.send(number.n);
            wait.notified().await;
            Ok(number.n)
        });
        (Self { watched: Watched::new(), worker: Incarnation::new(), started, finish }, registry)
    }

    async fn tell(&self, command: WorkerCommand) {
        let answer =
            self.watched.memory.control(&Name::DEFAULT_QUEUE, Command::Tell(self.worker, command)).await;
        assert_eq!(answer.unwrap(), ControlAnswer::Done(0));
    }

    fn claims(&self) -> u32 {
        self.watched.seen.claims.load(Ordering::SeqCst)
    }

    /// Until the answer to the heartbeat that is under way was heard: then the next one begins.
    async fn a_beat(&self) {
        let beats = || self.watched.seen.own_beats.load(Ordering::SeqCst);
        let before = beats();
        eventually(async || (beats() > before).then_some(())).await;
    }

    async fn running(&self, tasks: u64) {
        eventually(async || {
            let stats = self.watched.memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
            (stats.running == tasks).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_worker_that_is_told_to_run_more_at_once_does_so_at_once() {
    let (mut held, registry) = Held::new();
    let queue = TaskQueue::new(held.watched.clone());
    let start = held.worker;
    let set = |worker: TaskWorker| worker.concurrency(1).incarnation(start);
    with_worker(&queue, registry, set, async {
        queue.enqueue_many((0..5).map(|n| Number { n })).await.unwrap();
        assert_eq!(held.started.recv().await, Some(0));
        let told = Instant::now();
        held.tell(WorkerCommand::Concurrency(3)).await;
        held.running(3).await;
        assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
        for _ in 0..2 {
            held.finish.notify_one();
            held.started.recv().await;
        }
        eventually(async || {
            held.finish.notify_one();
            let stats = held.watched.memory.stats(&Name::DEFAULT_QUEUE).await.unwrap();
            (stats.completed == 5).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_pause_finishes_what_it_runs_and_takes_nothing_until_it_is_to_go_on() {
    let (mut held, registry) = Held::new();
    let queue = TaskQueue::new(held.watched.clone());
    let start = held.worker;
    // with one slot it claims nothing while the first runs
    let set = |worker: TaskWorker| worker.concurrency(1).incarnation(start).heartbeat_interval(BEAT);
    with_worker(&queue, registry, set, async {
        let first = queue.enqueue(Number { n: 1 }).await.unwrap();
        assert_eq!(held.started.recv().await, Some(1));
        let second = queue.enqueue(Number { n: 2 }).await.unwrap();
        held.tell(WorkerCommand::Pause).await;
        held.a_beat().await;
        held.finish.notify_one();
        assert_eq!(first.result(SOON).await.unwrap(), 1);
        let claims = held.claims();
        held.a_beat().await;
        assert_eq!((held.claims(), second.status().await.unwrap()), (claims, Some(TaskStatus::Pending)));
        held.tell(WorkerCommand::Resume).await;
        assert_eq!(held.started.recv().await, Some(2));
        held.finish.notify_one();
        assert_eq!(second.result(SOON).await.unwrap(), 2);
    })
    .await;
}
