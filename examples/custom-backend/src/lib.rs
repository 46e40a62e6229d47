//! A durable queue on plain files: a journal around the state machine of the embedded queue.
//!
//! Each call that changes something is a command. It is appended to the journal and synced to the disk, then carried out in
//! memory, then answered; calls that only look are answered from memory. After a restart, or a crash, the commands of the
//! journal are carried out again, at the times that stand beside them, and lead to the same state. When the journal has grown
//! long, the state itself is written down instead.
//!
//! ```
//! use std::time::Duration;
//! use example_custom_backend::FileQueue;
//! use task_core::TaskQueue;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), task_core::BoxError> {
//! # let temporary = tempfile::tempdir()?;
//! # let folder = temporary.path();
//! let queue = TaskQueue::new(FileQueue::open(folder).await?);
//! let id = queue.enqueue_named::<()>("mail", &"ann@example.org").await?.id().clone();
//! drop(queue); // the process may as well have been killed here
//!
//! let queue = FileQueue::open(folder).await?;
//! let found = task_core::Queue::result(&queue, &task_core::Name::DEFAULT_QUEUE, &id).await?;
//! assert!(found.is_live());
//! # Ok(())
//! # }
//! ```
//!
//! From the call to the disk, one file each: [`FileQueue`] turns calls into commands, the *writer* is the thread that carries
//! them out, the *journal* is a file, made of *frames*.

mod clock;
mod folder;
mod frame;
mod journal;
mod queue;
mod wakes;
mod writer;

#[cfg(test)]
mod tests;

pub use queue::FileQueue;
