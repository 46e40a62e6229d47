use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use task_worker::{
    AttemptEnded, WorkerObserver,
    core::{FailureKind, Outcome, RetryPolicy, TaskStatus},
    prelude::*,
};
use tokio::sync::Notify;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::{Mail, Number, SOON, memory, with_worker};

#[tokio::test]
async fn a_task_that_fails_is_tried_again_until_it_returns() {
    let queue = memory();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, ctx| async move {
        if counted.fetch_add(1, Ordering::SeqCst) < 2 {
            Err("not yet".into())
        } else {
            Ok(number.n + ctx.attempt())
        }
    });
    let value = with_worker(&queue, registry, |worker| worker, async {
        queue.enqueue(Number { n: 10 }).await.unwrap().result(SOON).await.unwrap()
    });
    assert_eq!((value.await, runs.load(Ordering::SeqCst)), (13, 3));
}

#[tokio::test]
async fn panics_and_timeouts_end_an_attempt_and_nothing_else() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move {
        match number.n {
            0 => panic!("zero"),
            1 => pending().await,
            n => Ok(n),
        }
    });
    let test = async {
        let mut failures = Vec::new();
        for n in [0, 1] {
            let number = queue.enqueue(Number { n }).max_retries(0).timeout(Duration::from_millis(50));
            let record = number.await.unwrap();
            assert!(record.result(SOON).await.is_err());
            failures.push(record.message().await.unwrap().unwrap().error.unwrap());
        }
        assert_eq!((failures[0].kind, failures[1].kind), (FailureKind::Panic, FailureKind::Timeout));
        assert!(failures[0].message.contains("tests/worker/ends.rs:"), "{}", failures[0]);
        assert_eq!(queue.enqueue(Number { n: 2 }).await.unwrap().result(SOON).await.unwrap(), 2);
    };
    with_worker(&queue, registry, |worker| worker, test).await;
}

#[tokio::test]
async fn a_panic_of_blocking_code_is_told_with_its_message_and_place() {
    let queue = memory();
    let line = line!() + 1;
    let registry = TaskRegistry::new().register_blocking(|number: Number, _| panic!("no row {}", number.n));
    let number = queue.enqueue(Number { n: 7 }).max_retries(0).await.unwrap();
    with_worker(&queue, registry, |worker| worker, async {
        assert!(number.result(SOON).await.is_err());
        let failure = number.message().await.unwrap().unwrap().error.unwrap();
        assert_eq!(failure.kind, FailureKind::Panic);
        assert!(failure.message.contains(&format!("tests/worker/ends.rs:{line}:")), "{failure}");
        assert!(failure.message.ends_with(": no row 7"), "{failure}");
    })
    .await;
}

#[tokio::test]
async fn blocking_code_that_timed_out_is_settled_once_it_has_stopped() {
    let queue = memory();
    let registry = TaskRegistry::new().register_blocking(|_: Number, ctx| {
        while !ctx.is_cancelled() {
            std::thread::yield_now();
        }
        Err(TaskError::cancelled())
    });
    let test = async {
        let number =
            queue.enqueue(Number { n: 0 }).max_retries(0).timeout(Duration::from_millis(50)).await.unwrap();
        assert!(number.result(SOON).await.is_err());
        assert_eq!(number.message().await.unwrap().unwrap().error.unwrap().kind, FailureKind::Timeout);
    };
    with_worker(&queue, registry, |worker| worker, test).await;
}

#[tokio::test]
async fn a_running_task_is_told_that_it_is_cancelled() {
    let queue = memory();
    let started = Arc::new(Notify::new());
    let start = started.clone();
    let registry = TaskRegistry::new().register_fn(move |_: Number, ctx| async move {
        start.notify_one();
        ctx.cancelled().await;
        Err(TaskError::cancelled())
    });
    let test = async {
        let number = queue.enqueue(Number { n: 0 }).await.unwrap();
        started.notified().await;
        number.cancel().await.unwrap();
        assert!(number.result(SOON).await.is_err());
        assert_eq!(number.status().await.unwrap(), Some(TaskStatus::Cancelled));
    };
    with_worker(&queue, registry, |worker| worker, test).await;
}

#[tokio::test]
async fn follow_ups_are_enqueued_once_however_often_the_task_ran() {
    let queue = memory();
    let mails = Arc::new(AtomicU32::new(0));
    let counted = mails.clone();
    let registry = TaskRegistry::new()
        .register_fn(|number: Number, ctx| async move {
            ctx.enqueue(Mail { to: number.n }).await?;
            if ctx.attempt() < 3 { Err("not yet".into()) } else { Ok(number.n) }
        })
        .register_fn(move |_: Mail, _| async move {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
    queue.enqueue(Number { n: 7 }).await.unwrap();
    let worker = TaskWorker::new(queue.clone(), registry).backoff(RetryPolicy::fixed(Duration::ZERO));
    tokio::time::timeout(SOON, worker.drain()).await.expect("it drains in time").unwrap();
    assert_eq!(mails.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_worker_that_stops_gives_back_what_it_saw_stop() {
    // a claim of the stopping worker that still waited took the task that had been given back, which counted twice
    let queue = memory();
    let started = Arc::new(Notify::new());
    let start = started.clone();
    let registry = TaskRegistry::new().register_fn(move |_: Number, _| async move {
        start.notify_one();
        pending().await
    });
    let number = queue.enqueue(Number { n: 0 }).await.unwrap();
    with_worker(&queue, registry, |worker| worker.grace(Duration::from_millis(50)), started.notified()).await;
    let record = number.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.releases, record.crashes), (TaskStatus::Pending, 1, 0));
}

#[tokio::test]
async fn a_task_that_takes_all_that_tokio_grants_it_at_a_time_is_stopped_like_any_other() {
    // what was to stop it was not even asked, since the task had used up what both of them may do at a time
    let queue = memory();
    let started = Arc::new(Notify::new());
    let start = started.clone();
    let registry = TaskRegistry::new().register_fn(move |number: Number, _| async move {
        start.notify_one();
        loop {
            tokio::task::consume_budget().await;
            std::hint::black_box(number.n);
        }
    });
    let number = |timeout| queue.enqueue(Number { n: 0 }).max_retries(0).timeout(timeout);
    let timed_out = number(Duration::from_millis(50)).await.unwrap();
    let test = async {
        assert!(timed_out.result(SOON).await.is_err());
        assert_eq!(timed_out.message().await.unwrap().unwrap().error.unwrap().kind, FailureKind::Timeout);
        started.notified().await;
        let stopped = number(SOON).await.unwrap();
        started.notified().await;
        stopped
    };
    let stopped = with_worker(&queue, registry, |worker| worker.grace(Duration::from_millis(50)), test).await;
    let record = stopped.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.releases, record.crashes), (TaskStatus::Pending, 1, 0));
}

#[tokio::test]
async fn a_value_that_comes_after_the_timeout_brings_its_follow_ups() {
    // the task was COMPLETED, and what it had enqueued never came
    let queue = memory();
    let registry = TaskRegistry::new()
        .register_fn(|number: Number, ctx| async move {
            ctx.enqueue(Mail { to: number.n }).await?;
            ctx.cancelled().await;
            Ok(number.n)
        })
        .register_fn(|_: Mail, _| async { Ok(()) });
    let number = queue.enqueue(Number { n: 7 }).timeout(Duration::from_millis(50)).await.unwrap();
    let worker = TaskWorker::new(queue.clone(), registry);
    let drained = tokio::time::timeout(SOON, worker.drain()).await.expect("it drains in time").unwrap();
    assert_eq!((number.result(SOON).await.unwrap(), drained.completed), (7, 2));
}

#[tokio::test]
async fn a_task_of_an_unknown_name_stops_no_other() {
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) });
    let mail = queue.enqueue(Mail { to: 1 }).await.unwrap();
    let value = with_worker(&queue, registry, |worker| worker, async {
        queue.enqueue(Number { n: 2 }).await.unwrap().result(SOON).await.unwrap()
    });
    assert_eq!(value.await, 2);
    assert_ne!(mail.status().await.unwrap(), Some(TaskStatus::Completed));
}

#[tokio::test]
async fn a_panic_of_what_a_task_leaves_behind_costs_no_slot() {
    // an attempt that panicked as it was dropped was counted as running for ever
    struct PanicsAtItsEnd;
    impl Drop for PanicsAtItsEnd {
        fn drop(&mut self) {
            panic!("left behind");
        }
    }
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move {
        if number.n == 0 {
            let _left = PanicsAtItsEnd;
            return pending().await;
        }
        Ok(number.n)
    });
    let test = async {
        for _ in 0..3 {
            let number = queue.enqueue(Number { n: 0 }).max_retries(0).timeout(Duration::from_millis(20));
            let number = number.await.unwrap();
            assert!(number.result(SOON).await.is_err());
            let failure = number.message().await.unwrap().unwrap().error.unwrap();
            assert_eq!(failure.kind, FailureKind::Panic);
            assert!(failure.message.ends_with(": left behind"), "{failure}");
        }
        assert_eq!(queue.enqueue(Number { n: 2 }).await.unwrap().result(SOON).await.unwrap(), 2);
    };
    with_worker(&queue, registry, |worker| worker.concurrency(1), test).await;
}

#[tokio::test]
async fn a_subscriber_that_panics_as_the_span_of_an_attempt_closes_stops_no_worker() {
    // the span outlived the attempt, and its panic took the runner with it that was to take the next
    struct PanicsAtClose;
    impl<S: tracing::Subscriber> Layer<S> for PanicsAtClose {
        fn on_close(&self, _: tracing::span::Id, _: Context<'_, S>) {
            panic!("a subscriber's own");
        }
    }
    let queue = memory();
    let registry = TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) });
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(PanicsAtClose));
    let test = async {
        for n in 0..40 {
            let number = queue.enqueue(Number { n }).max_retries(0).await.unwrap();
            assert!(number.result(SOON).await.is_err());
            let failure = number.message().await.unwrap().unwrap().error.unwrap();
            assert!(failure.message.ends_with(": a subscriber's own"), "{failure}");
        }
    };
    with_worker(&queue, registry, |worker| worker.concurrency(1), test).await;
}

#[tokio::test]
async fn an_observer_hears_of_each_attempt_and_may_panic() {
    #[derive(Default)]
    struct Seen(Mutex<Vec<(String, bool)>>);
    impl WorkerObserver for Seen {
        fn attempt_ended(&self, attempt: &AttemptEnded<'_>) {
            let retry = matches!(attempt.outcome, Outcome::Retry { .. });
            assert!(attempt.ran < SOON && attempt.waited < SOON);
            self.0.lock().unwrap().push((attempt.task.to_string(), retry));
            panic!("an observer's own");
        }
    }
    let (queue, seen) = (memory(), Arc::new(Seen::default()));
    let registry = TaskRegistry::new().register_fn(|number: Number, ctx| async move {
        if ctx.attempt() == 1 { Err("not yet".into()) } else { Ok(number.n) }
    });
    let observer = seen.clone();
    with_worker(&queue, registry, |worker| worker.observer(observer), async {
        queue.enqueue(Number { n: 1 }).await.unwrap().result(SOON).await.unwrap()
    })
    .await;
    let seen = seen.0.lock().unwrap().clone();
    assert_eq!(seen, [("number".to_owned(), true), ("number".to_owned(), false)]);
}
