//! What the tests of apps are written with.

use std::time::Duration;

use task_core::{Command, FailureKind, Name, Queue as _, TaskStatus};
use task_queue_memory::MemoryQueue;
use task_testkit::{assert_enqueued, drain, enqueued, run_task};
use task_worker::{core::TaskQueue, prelude::*};
use tokio::time::{Instant, sleep};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[task(max_retries = 2, timeout = "10s")]
async fn work(n: u32, ctx: TaskContext) -> TaskResult<u32> {
    match n {
        0 => return Err("no luck".into()),
        1 => sleep(DAY).await,
        2 => panic!("too much"),
        3 => drop(ctx.enqueue(Mail { to: "ann".into(), urgent: true }).await?),
        4 => return Err(TaskError::skip("nothing to do")),
        _ => {}
    }
    Ok(n)
}

#[task(queue = "mail")]
async fn mail(to: String, urgent: bool) -> TaskResult<String> {
    Ok(if urgent { to } else { String::new() })
}

fn registry() -> TaskRegistry {
    TaskRegistry::new().register(Work::task()).register(Mail::task())
}

fn memory() -> TaskQueue {
    TaskQueue::new(MemoryQueue::new())
}

#[tokio::test(start_paused = true)]
async fn a_task_is_run_once_and_answers_how_it_stands() {
    let queue = memory();
    for n in 0..6 {
        queue.enqueue(Work { n }).await.unwrap();
    }
    let mut seen = Vec::new();
    while let Some(record) = run_task(&queue, registry()).await {
        assert_eq!((record.attempts, record.releases), (1, 0));
        seen.push((record.queue.to_string(), record.status, record.error.map(|error| error.kind)));
        if seen.len() == 7 {
            break;
        }
    }
    let tasks = |kind: Option<FailureKind>, status| ("tasks".to_owned(), status, kind);
    let mail = seen.iter().position(|(queue, ..)| queue == "mail").unwrap();
    assert_eq!(seen.remove(mail), ("mail".to_owned(), TaskStatus::Completed, None));
    use {FailureKind as K, TaskStatus as S};
    assert_eq!(
        seen,
        [
            tasks(Some(K::Error), S::Retry),
            tasks(Some(K::Timeout), S::Retry),
            tasks(Some(K::Panic), S::Retry),
            tasks(None, S::Completed),
            tasks(Some(K::Skipped), S::Skipped),
            tasks(None, S::Completed),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_run_that_is_not_due_and_nothing_else_is_touched() {
    let queue = memory();
    assert!(run_task(&queue, registry()).await.is_none());
    let later = queue.enqueue(Work { n: 7 }).delay(DAY).await.unwrap();
    assert!(run_task(&queue, registry()).await.is_none());
    sleep(DAY).await;
    let other = queue.enqueue(Work { n: 8 }).await.unwrap();
    assert_eq!(run_task(&queue, registry()).await.unwrap().id, *later.id());
    let record = other.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.releases), (TaskStatus::Pending, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_the_registry_does_not_know_fails_with_words() {
    let queue = memory();
    queue.enqueue_named::<()>("unheard", &()).await.unwrap();
    let record = run_task(&queue, registry()).await.unwrap();
    assert_eq!(record.error.unwrap().message, "no worker here knows a task `unheard`; they know: mail, work");
}

#[tokio::test(start_paused = true)]
async fn a_drain_runs_all_that_follows_and_waits_for_days_in_no_time() {
    let (queue, began) = (memory(), Instant::now());
    for n in 0..6 {
        queue.enqueue(Work { n }).delay(DAY * n).await.unwrap();
    }
    let drained = drain(&queue, registry()).await;
    assert_eq!((drained.completed, drained.failed, drained.skipped), (3, 3, 1));
    assert!(began.elapsed() >= DAY * 5);
    assert!(!drained.cut_short);
    assert_eq!(enqueued::<Work>(&queue).await.len(), 0);
    assert_eq!(
        enqueued::<Mail>(&queue).await.len(),
        0,
        "the follow-up went to a queue that was not there before"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_leaves_what_nothing_will_run_and_says_so() {
    let queue = memory();
    queue.enqueue(Work { n: 7 }).await.unwrap();
    queue.control(&Name::DEFAULT_QUEUE, Command::Pause).await.unwrap();
    let drained = drain(&queue, registry()).await;
    assert_eq!((drained.completed, drained.cut_short), (0, true));
    queue.control(&Name::DEFAULT_QUEUE, Command::Resume).await.unwrap();
    let drained = drain(&queue, registry()).await;
    assert_eq!((drained.completed, drained.cut_short), (1, false));
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_drain_run_at_the_same_time_each_at_its_own() {
    let queue = memory();
    let registry = || {
        TaskRegistry::new().register_fn(|_: Work, _| async {
            sleep(Duration::from_secs(60)).await;
            Ok(0)
        })
    };
    let began = Instant::now();
    for n in 0..10 {
        queue.enqueue(Work { n }).timeout(DAY).delay(Duration::from_secs(u64::from(n))).await.unwrap();
    }
    assert_eq!(drain(&queue, registry()).await.completed, 10);
    assert!(
        (Duration::from_secs(69)..Duration::from_secs(75)).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn what_was_enqueued_is_told_in_its_order() {
    let queue = memory();
    for n in [5, 3, 9] {
        queue.enqueue(Work { n }).priority(n as u8).await.unwrap();
    }
    assert_eq!(enqueued::<Work>(&queue).await.iter().map(|work| work.n).collect::<Vec<_>>(), [5, 3, 9]);
    assert_enqueued!(&queue, Work { n: 9 });
    assert_enqueued!(&queue, Work { n } if *n > 3);
}

#[tokio::test]
#[should_panic(
    expected = "no task was enqueued that matches `Work { n } if *n > 3`; of its kind there are:\n  work {\"n\":3}"
)]
async fn an_assertion_that_fails_tells_the_tasks_of_its_kind() {
    let queue = memory();
    queue.enqueue(Work { n: 3 }).await.unwrap();
    assert_enqueued!(&queue, Work { n } if *n > 3);
}

#[tokio::test]
#[should_panic(expected = "no task is there at all")]
async fn an_assertion_that_fails_says_that_nothing_was_enqueued() {
    assert_enqueued!(&memory(), Mail { to: _, .. });
}
