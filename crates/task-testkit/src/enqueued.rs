//! What an app has enqueued, in its tests.

use task_core::{Filter, Name, Queue as _, ResultMessage, Shown, TaskMessage, TaskParams, TaskQueue};

/// The params of all tasks of a kind that wait or run, in the order of their enqueues; in the named queue that this kind
/// goes to.
///
/// ```
/// # use task_queue_memory::MemoryQueue;
/// # use task_core::{TaskParams, TaskQueue};
/// #[derive(serde::Serialize, serde::Deserialize, TaskParams)]
/// struct Mail {
///     to: String,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let queue = TaskQueue::new(MemoryQueue::new());
/// assert!(task_testkit::enqueued::<Mail>(&queue).await.is_empty());
/// queue.enqueue(Mail { to: "ann".into() }).await.unwrap();
/// assert_eq!(task_testkit::enqueued::<Mail>(&queue).await[0].to, "ann");
/// # }
/// ```
///
/// # Panics
/// If the queue can't tell its tasks, or one that has this name has other params.
pub async fn enqueued<P: TaskParams>(queue: &TaskQueue) -> Vec<P> {
    let messages = messages(queue, P::options().queue.as_deref(), Some(P::NAME)).await;
    let params = |message: &TaskMessage| {
        P::from_bytes(&message.params).unwrap_or_else(|error| {
            panic!("task {} has no params of `{}`, but {}: {error}", message.id, P::NAME, shown(message))
        })
    };
    messages.iter().map(params).collect()
}

/// Asserts that a task was enqueued whose params match a pattern, and has not ended yet. To be used in async code.
///
/// ```
/// # use task_queue_memory::MemoryQueue;
/// # use task_core::{TaskParams, TaskQueue};
/// use task_testkit::assert_enqueued;
///
/// #[derive(serde::Serialize, serde::Deserialize, TaskParams)]
/// struct Mail {
///     to: String,
///     urgent: bool,
/// }
///
/// async fn sign_up(queue: &TaskQueue, name: &str) {
///     queue.enqueue(Mail { to: name.to_owned(), urgent: true }).await.unwrap();
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let queue = TaskQueue::new(MemoryQueue::new());
/// sign_up(&queue, "ann").await;
/// assert_enqueued!(&queue, Mail { urgent: true, .. });
/// assert_enqueued!(&queue, Mail { to, .. } if to == "ann");
/// # }
/// ```
///
/// # Panics
/// If there is none; it says which tasks there are. For any other question see [`enqueued`](crate::enqueued).
#[macro_export]
macro_rules! assert_enqueued {
    ($queue:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {{
        let queue: &$crate::__private::TaskQueue = $queue;
        let found = $crate::enqueued(queue).await;
        let is_there = found.iter().any(|params| match params {
            $pattern $(if $guard)? => true,
            #[allow(unreachable_patterns, reason = "the pattern may match anything")]
            _ => false,
        });
        if !is_there {
            let there = $crate::__private::told(queue, &found).await;
            panic!("no task was enqueued that matches `{}`; {there}", stringify!($pattern $(if $guard)?));
        }
    }};
}

/// Which tasks there are, of the kind that was looked for or of any.
#[doc(hidden)]
pub async fn told<P: TaskParams>(queue: &TaskQueue, _: &[P]) -> String {
    let lines = |messages: Vec<TaskMessage>| {
        let line = |message: &TaskMessage| format!("\n  {} {}", message.name, shown(message));
        messages.iter().map(line).collect::<String>()
    };
    let place = P::options().queue;
    let same = lines(messages(queue, place.as_deref(), Some(P::NAME)).await);
    if !same.is_empty() {
        return format!("of its kind there are:{same}");
    }
    let any = lines(messages(queue, place.as_deref(), None).await);
    if any.is_empty() {
        return "no task is there at all".into();
    }
    format!("none of its kind is there, but:{any}")
}

/// The messages of tasks that are not final, in the order of their enqueues.
async fn messages(queue: &TaskQueue, place: Option<&str>, name: Option<&str>) -> Vec<TaskMessage> {
    let parsed = |name: &str| name.parse::<Name>().unwrap_or_else(|error| panic!("{error}"));
    let place = place.map_or(Name::DEFAULT_QUEUE, parsed);
    let mut filter = Filter::new(1000);
    filter.name = name.map(parsed);
    let mut records: Vec<ResultMessage> = Vec::new();
    loop {
        let page = queue.list(&place, filter.clone()).await;
        let page = page.unwrap_or_else(|error| panic!("which tasks there are: {error}"));
        records.extend(page.tasks.into_iter().filter(|record| !record.status.is_final()));
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    records.sort_by_key(|record| (record.enqueued_at, record.id.clone()));
    let mut messages = Vec::with_capacity(records.len());
    for record in records {
        let message = queue.message(&place, &record.id).await;
        // one that has ended meanwhile has no message any more
        messages.extend(message.unwrap_or_else(|error| panic!("what task {} is: {error}", record.id)));
    }
    messages
}

/// Its params as JSON.
fn shown(message: &TaskMessage) -> String {
    serde_json::to_string(&Shown(&message.params))
        .unwrap_or_else(|error| format!("params that are none: {error}"))
}
