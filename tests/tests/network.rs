//! An app and a worker over a network in which one call goes wrong: the first, second, … of each method, in each way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{Name, Queue as _, RetryPolicy, TaskError, TaskHandle, TaskOptions, TaskQueue, TaskStatus};
use task_queue_memory::MemoryQueue;
use task_testkit::{Hostile, Method, Mishap};
use task_worker::{TaskContext, TaskRegistry, TaskWorker};
use tokio::{sync::oneshot, time::sleep};

/// What the tasks do, by their ids; and how many attempts that takes.
const TASKS: [(&str, TaskStatus, u32); 5] = [
    ("returns", TaskStatus::Completed, 1),
    ("fails-once", TaskStatus::Completed, 2),
    ("fails", TaskStatus::Failed, 2),
    ("skips", TaskStatus::Skipped, 1),
    ("is-followed", TaskStatus::Completed, 1),
];

/// Nothing that goes wrong once may take longer.
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn whichever_call_goes_wrong_in_whichever_way_each_task_runs_as_often_as_it_should() {
    use Method::{Dequeue, Enqueue, Heartbeat, Release, Settle};
    for method in [Enqueue, Dequeue, Settle, Heartbeat, Release] {
        for mishap in Mishap::ALL {
            for nth in 0..5 {
                let plan = std::iter::repeat_n(Mishap::None, nth).chain([mishap]);
                let memory = MemoryQueue::new();
                let network = Hostile::new(memory.clone()).plan_for(method, plan);
                each_task_ends_so(memory, network, &format!("call {nth} of {method:?} meets {mishap:?}"))
                    .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_with_every_second_call_of_a_method_each_task_runs_as_often_as_it_should() {
    use Method::{Dequeue, Enqueue, Heartbeat, Settle};
    for method in [Enqueue, Dequeue, Settle, Heartbeat] {
        for mishap in [Mishap::Fail, Mishap::LoseReply, Mishap::Twice, Mishap::Late] {
            let plan = [mishap, Mishap::None].into_iter().cycle().take(1000);
            let memory = MemoryQueue::new();
            let network = Hostile::new(memory.clone()).plan_for(method, plan);
            each_task_ends_so(memory, network, &format!("every second {method:?} meets {mishap:?}")).await;
        }
    }
}

type Runs = Arc<Mutex<BTreeMap<String, u32>>>;

async fn each_task_ends_so(memory: MemoryQueue, network: Hostile<MemoryQueue>, what: &str) {
    let runs = tokio::time::timeout(LONG, run_all(&memory, network)).await;
    let runs = runs.unwrap_or_else(|_| panic!("not everything ends, {what}"));
    for (id, status, attempts) in TASKS {
        let record = memory.result(&Name::DEFAULT_QUEUE, &id.parse().unwrap()).await.unwrap();
        let record = record.into_found().unwrap();
        assert_eq!((record.status, record.attempts, runs[id]), (status, attempts, attempts), "{id}, {what}");
        assert_eq!((record.crashes, record.releases), (0, 0), "{id}, {what}");
    }
    let totals = memory.stats(&Name::DEFAULT_QUEUE).await.unwrap().totals;
    assert_eq!(totals.enqueued, TASKS.len() as u64 + 1, "one follow-up, {what}");
    assert_eq!(totals.completed + totals.failed + totals.skipped, totals.enqueued, "{what}");
}

/// Runs all tasks; answers how often each ran.
async fn run_all(memory: &MemoryQueue, network: Hostile<MemoryQueue>) -> BTreeMap<String, u32> {
    let (runs, direct) = (Runs::default(), TaskQueue::new(memory.clone()));
    let count = runs.clone();
    let handler = move |_, ctx: TaskContext| -> futures_util::future::BoxFuture<'static, _> {
        let count = count.clone();
        Box::pin(async move {
            *count.lock().unwrap().entry(ctx.id().to_string()).or_default() += 1;
            ctx.progress(0.5, "half");
            sleep(Duration::from_secs(1)).await;
            match &*ctx.id().to_string() {
                "fails-once" if ctx.attempt() == 1 => return Err("no luck".into()),
                "fails" => return Err("never".into()),
                "skips" => return Err(TaskError::skip("nothing to do")),
                "is-followed" => drop::<TaskHandle<()>>(ctx.enqueue_named("work", &()).await?),
                _ => {}
            }
            Ok(bytes::Bytes::from_static(&[0xc0]))
        })
    };
    let registry =
        TaskRegistry::new().register_named("work".parse().unwrap(), TaskOptions::default(), handler);
    let queue = TaskQueue::new(network);
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = TaskWorker::new(queue.clone(), registry)
        .heartbeat_here(true)
        .concurrency(3)
        .max_retries(1)
        .backoff(RetryPolicy::fixed(Duration::from_secs(1)));
    let running = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    for (id, ..) in TASKS {
        let enqueued = queue.enqueue_named::<()>("work", &()).id(id.parse().unwrap()).await;
        if let Err(error) = enqueued {
            // one that hangs is given up, and sent again by the app: its id makes that the same task
            assert!(
                error.is_transient() || matches!(error, task_core::QueueError::OutcomeUnknown { .. }),
                "{error}"
            );
            queue.enqueue_named::<()>("work", &()).id(id.parse().unwrap()).await.unwrap();
        }
    }
    while direct.stats(&Name::DEFAULT_QUEUE).await.unwrap().live() > 0 {
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Mishap::LATE * 2).await; // nothing that comes late starts anything
    drop(stop);
    running.await.unwrap().unwrap();
    let runs = runs.lock().unwrap();
    runs.clone()
}
