use crate::{MemoryQueue, state::Limits};

/// What a [`MemoryQueue`] keeps, where the defaults don't suit.
///
/// ```
/// use task_queue_memory::MemoryQueue;
/// let queue = MemoryQueue::builder().limit(10_000).keep_completed(1_000).build();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder(Limits);

impl Builder {
    /// The most results of COMPLETED tasks that a named queue keeps, where nothing else is said.
    pub const KEEP_COMPLETED: usize = 1_000_000;
    /// The most final tasks of a named queue whose params are kept for a replay, where nothing else is said.
    pub const KEEP_REPLAYABLE: usize = 100_000;

    pub(crate) fn new() -> Self {
        Self(Limits::default())
    }

    /// Each named queue takes in no more while so many of its tasks are PENDING or RETRY; default: no limit.
    /// [`Command::Limit`](task_core::Command::Limit) changes it for one of them.
    pub fn limit(self, tasks: u64) -> Self {
        Self(Limits { waiting: Some(tasks), ..self.0 })
    }

    /// A named queue keeps at most so many results of COMPLETED tasks, the oldest go first; default 1,000,000.
    pub fn keep_completed(self, results: usize) -> Self {
        Self(Limits { completed: results, ..self.0 })
    }

    /// A named queue keeps the params of at most so many FAILED and CANCELLED tasks; an older one keeps its status, but
    /// can't be replayed. Default 100,000.
    pub fn keep_replayable(self, tasks: usize) -> Self {
        Self(Limits { replayable: tasks, ..self.0 })
    }

    /// An empty queue.
    pub fn build(self) -> MemoryQueue {
        MemoryQueue::with(self.0)
    }
}
