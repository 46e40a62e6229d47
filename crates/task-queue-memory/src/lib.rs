//! The embedded backend of the task framework: a queue inside the process, with no server and nothing to set up.
//!
//! ```
//! use std::time::Duration;
//! use task_core::{Claim, Incarnation, Name, Outcome, Queue, Registration, SettleRequest, Settlement, TaskQueue};
//! use task_queue_memory::MemoryQueue;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), task_core::BoxError> {
//! // an app enqueues, and asks for the result
//! let memory = MemoryQueue::new();
//! let queue = TaskQueue::new(memory.clone());
//! let handle = queue.enqueue_named::<u64>("double", &21).await?;
//!
//! // a worker does this (in earnest, `task_worker::TaskWorker` is one)
//! let (tasks, me) = (Name::DEFAULT_QUEUE, Incarnation::new());
//! let knows = Registration::new("worker_1", ["double".parse()?]);
//! let claimed = memory.dequeue(Claim::new(tasks.clone(), me, knows.into(), 1)).await?;
//! for task in claimed.tasks {
//!     let params: u64 = task_core::decode(&task.message.as_ref().map_err(Clone::clone)?.params)?;
//!     let result = task_core::encode(&(params * 2))?.into();
//!     let end = Settlement::new(task, Outcome::Completed { result });
//!     memory.settle(SettleRequest::new(tasks.clone(), vec![end])).await?;
//! }
//!
//! assert_eq!(handle.result(Duration::from_secs(1)).await?, 42);
//! # Ok(())
//! # }
//! ```
//!
//! It keeps every promise of [`task_core::Queue`] as long as the process lives, and has every capability. Messages and
//! results lie in it as their records, so that what can't be written or read shows here as on any other backend.
//! Everything in it has a bound or an end but the tasks that wait, and [`Builder::limit`] bounds these, too.

mod builder;
mod clock;
mod named;
mod queue;
pub mod state;
mod subscribers;

pub use builder::Builder;
pub use queue::MemoryQueue;
pub use task_core;
