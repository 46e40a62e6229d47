//! Runs tasks: registry, context, worker and command tasks of the task framework.
//!
//! ```
//! use std::time::Duration;
//! use task_queue_memory::MemoryQueue;
//! use task_worker::{core::TaskQueue, prelude::*};
//!
//! #[task]
//! async fn count_words(text: String) -> TaskResult<usize> {
//!     Ok(text.split_whitespace().count())
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), task_worker::core::BoxError> {
//! let queue = TaskQueue::new(MemoryQueue::new());
//! tokio::spawn(TaskWorker::new(queue.clone(), TaskRegistry::new().register(CountWords::task())).run());
//! let handle = queue.enqueue(CountWords { text: "one two three".into() }).await?;
//! assert_eq!(handle.result(Duration::from_secs(10)).await?, 3);
//! # Ok(())
//! # }
//! ```

mod attempt;
mod blocked;
mod blocking;
mod board;
pub mod command;
mod context;
mod drained;
mod engine;
mod follow_up;
mod handler;
mod heartbeat;
mod observe;
mod outage;
mod outcome;
mod pace;
mod panic;
mod registry;
mod settings;
mod signal;
mod status;
mod stop;
mod task;
mod worker;

#[doc(hidden)]
pub use blocking::blocking;
pub use context::TaskContext;
pub use drained::Drained;
pub use observe::{AttemptEnded, WorkerObserver};
pub use registry::TaskRegistry;
pub use settings::WorkerError;
pub use stop::StopHandle;
pub use task::{Task, TaskReturn};
pub use task_core as core;
pub use task_macros::task;
pub use worker::TaskWorker;

/// What a program with tasks needs most.
pub mod prelude {
    pub use task_core::prelude::*;

    pub use crate::{Task, TaskContext, TaskRegistry, TaskWorker, task};
}
