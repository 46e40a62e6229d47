//! Running an app's tasks in its tests.

mod burst;

use std::{collections::BTreeSet, time::Duration};

use task_core::{Name, Queue as _, QueueError, ResultMessage, TaskQueue};
use task_worker::{Drained, TaskRegistry, TaskWorker};
use tokio::time::sleep;

use burst::Burst;

/// The tests of an app have no use for many beats, and a paused clock would run through them all.
const BEAT: Duration = Duration::from_secs(6 * 3600);
const LEASE: Duration = Duration::from_secs(24 * 3600);

/// Runs everything that is in a queue, in whatever named queue of it, and what follows from it, until nothing is left.
/// Answers how the tasks ended.
///
/// Delays and backoffs are waited for; with Tokio's clock paused that takes no time.
///
/// ```
/// use std::time::Duration;
/// use task_queue_memory::MemoryQueue;
/// use task_worker::{core::TaskQueue, prelude::*};
///
/// #[task(max_retries = 3)]
/// async fn remind(user: u64, ctx: TaskContext) -> TaskResult<u64> {
///     if ctx.attempt() < 3 {
///         return Err("the mail server is away".into());
///     }
///     Ok(user)
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() { // in a test: #[tokio::test(start_paused = true)]
/// let queue = TaskQueue::new(MemoryQueue::new());
/// let reminded = queue.enqueue(Remind { user: 7 }).delay(Duration::from_secs(24 * 3600)).await.unwrap();
///
/// let drained = task_testkit::drain(&queue, TaskRegistry::new().register(Remind::task())).await;
/// assert_eq!(drained.completed, 1);
/// assert_eq!(reminded.result(Duration::ZERO).await.unwrap(), 7);
/// assert_eq!(reminded.message().await.unwrap().unwrap().attempts, 3);
/// # }
/// ```
///
/// What nothing will ever run, as in a paused queue, is left; [`Drained::cut_short`] says so.
///
/// # Panics
/// If the queue can't be asked.
pub async fn drain(queue: &TaskQueue, registry: TaskRegistry) -> Drained {
    let mut all = Drained::default();
    loop {
        let names = names(queue).await;
        let (drained, next) = run(Burst::new(queue.clone(), &names, None), &registry, &names).await.drained();
        all.completed += drained.completed;
        all.failed += drained.failed;
        all.skipped += drained.skipped;
        all.cancelled += drained.cancelled;
        // a task may have enqueued another into a named queue that was not there before
        if self::names(queue).await != names {
            continue;
        }
        let Some(next) = next else { break };
        sleep(next.max(Duration::from_millis(1))).await;
    }
    for name in names(queue).await {
        all.cut_short |= queue.stats(&name).await.is_ok_and(|stats| stats.live() > 0);
    }
    all
}

/// Runs one attempt of the task that is next to run, as a worker would: with its timeout, its hooks, its panics caught,
/// its follow-ups sent. Answers its record after that, or `None` if no task is due now.
///
/// ```
/// use task_queue_memory::MemoryQueue;
/// use task_worker::{core::{TaskQueue, TaskStatus}, prelude::*};
///
/// #[task]
/// async fn charge(order: u64) -> TaskResult {
///     Err(TaskError::fatal(format!("order {order} is not there")))
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() { // in a test: #[tokio::test(start_paused = true)]
/// let queue = TaskQueue::new(MemoryQueue::new());
/// queue.enqueue(Charge { order: 7 }).await.unwrap();
///
/// let registry = TaskRegistry::new().register(Charge::task());
/// let record = task_testkit::run_task(&queue, registry.clone()).await.unwrap();
/// assert_eq!(record.status, TaskStatus::Failed);
/// assert_eq!(record.error.unwrap().message, "order 7 is not there");
/// assert!(task_testkit::run_task(&queue, registry).await.is_none());
/// # }
/// ```
///
/// # Panics
/// If the queue can't be asked.
pub async fn run_task(queue: &TaskQueue, registry: TaskRegistry) -> Option<ResultMessage> {
    let names = names(queue).await;
    let (name, id) = run(Burst::new(queue.clone(), &names, Some(1)), &registry, &names).await.given()?;
    let found = queue.result(&name, &id).await;
    found.unwrap_or_else(|error| panic!("what became of task {id}: {error}")).into_found()
}

/// Runs what a burst gives out.
async fn run(burst: Burst, registry: &TaskRegistry, names: &BTreeSet<Name>) -> Burst {
    let queues = names.iter().map(|name| (name.clone(), 1));
    let worker = TaskWorker::new(TaskQueue::new(burst.clone()), registry.clone())
        .heartbeat_here(true)
        .heartbeat_interval(BEAT)
        .lease(LEASE)
        .queues(queues)
        .closed_set(true);
    let over = burst.clone();
    let ended = worker.run_until(async move { over.is_over().await }).await;
    ended.unwrap_or_else(|error| panic!("a worker does not start: {error}"));
    burst
}

/// The named queues that there are.
async fn names(queue: &TaskQueue) -> BTreeSet<Name> {
    let mut names = BTreeSet::from([Name::DEFAULT_QUEUE]);
    match queue.queues().await {
        Ok(others) => names.extend(others),
        Err(QueueError::Unsupported { .. }) => {}
        Err(error) => panic!("which named queues there are: {error}"),
    }
    names
}
