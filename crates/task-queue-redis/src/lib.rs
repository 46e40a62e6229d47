//! The Redis backend of the task framework, for Redis 7.0 or newer and Valkey; no modules are needed.
//!
//! ```no_run
//! # async fn connect() -> Result<(), task_core::QueueError> {
//! use task_core::TaskQueue;
//! use task_queue_redis::RedisQueue;
//!
//! let queue = TaskQueue::new(RedisQueue::connect("localhost:6379").await?);
//! # drop(queue);
//! # Ok(())
//! # }
//! ```
//!
//! Each transition of a task is one script (`src/lua`), whose header says its keys, arguments, reply and guarantees. Keys
//! are one base, `prefix:{queue}`, and fixed suffixes.

mod beat;
mod block;
mod claim;
mod clock;
mod control;
mod dial;
mod enqueue;
mod error;
mod explain;
#[cfg(test)]
mod fuzz;
mod ids;
mod info;
mod keys;
mod link;
mod list;
mod news;
mod open;
mod park;
mod password;
mod patience;
mod queue;
mod queues;
mod record;
mod registration;
mod reply;
mod run;
mod script;
mod sentinel;
mod settle;
mod stats;
#[cfg(feature = "tls")]
mod tls;
mod trim;
mod url;
mod wait;
mod wire;

pub use queue::RedisQueue;
pub use task_core;
pub use url::url_from_env;
