use crate::{Enqueue, Payload, TaskOptions, TaskQueue};

/// The typed input of a kind of task, with its stable name. Derive it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use task_core::TaskParams;
///
/// #[derive(Serialize, Deserialize, TaskParams)]
/// #[task(name = "extract", output = u64, max_retries = 5, timeout = "30s")]
/// struct Extract {
///     source: String,
///     #[serde(default)] // a field that came later
///     batch_size: u32,
/// }
/// assert_eq!(Extract::NAME, "extract");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the params of a task",
    label = "`TaskParams` is not implemented for `{Self}`",
    note = "add `#[derive(Serialize, Deserialize, TaskParams)]` to it"
)]
pub trait TaskParams: Payload {
    /// The name under which the task travels; producer and worker agree on it. The derive's default is the type's
    /// name in snake_case.
    const NAME: &'static str;
    /// Former names: a worker takes them too.
    const ALIASES: &'static [&'static str] = &[];
    /// What the task returns. It belongs to the params, since the producer must know it without the task's code.
    type Output: Payload;

    /// Retries, timeout, priority, … of this kind of task.
    fn options() -> TaskOptions {
        TaskOptions::default()
    }

    /// The same call as [`TaskQueue::enqueue`].
    fn enqueue(self, queue: &TaskQueue) -> Enqueue<Self::Output> {
        queue.enqueue(self)
    }
}
