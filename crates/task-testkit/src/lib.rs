//! What is needed to test with queues: an app's tasks, a worker on a bad network, and a backend of one's own.
//!
//! - **An app's tests** ask what it has enqueued ([`assert_enqueued!`], [`enqueued`]), run its tasks ([`run_task`],
//!   [`drain`]), and wait for nothing: with Tokio's clock paused, days of delays and backoffs take no time.
//! - **A backend's tests** say how it is opened and how its clock moves on ([`Harness`]); then [`conformance!`] makes one
//!   test of each promise, and [`random_operations!`] compares its answers with those of a plain model.
//! - [`Hostile`] is a bad network before any queue, and [`Sim`] a worker that does as it is told.
//!
//! ```
//! use std::time::Duration;
//! use task_queue_memory::MemoryQueue;
//! use task_testkit::{assert_enqueued, drain};
//! use task_worker::{core::TaskQueue, prelude::*};
//!
//! #[task]
//! async fn greet(name: String) -> TaskResult<String> {
//!     Ok(format!("hello {name}"))
//! }
//!
//! /// The app.
//! async fn sign_up(queue: &TaskQueue, name: &str) -> TaskHandle<String> {
//!     queue.enqueue(Greet { name: name.into() }).delay(Duration::from_secs(3600)).await.unwrap()
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() { // in a test: #[tokio::test(start_paused = true)]
//! let queue = TaskQueue::new(MemoryQueue::new());
//! let greeting = sign_up(&queue, "ann").await;
//! assert_enqueued!(&queue, Greet { name } if name == "ann");
//!
//! drain(&queue, TaskRegistry::new().register(Greet::task())).await;
//! assert_eq!(greeting.result(Duration::ZERO).await.unwrap(), "hello ann");
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod conformance;
mod enqueued;
mod harness;
mod hostile;
mod model;
mod random;
mod redis_server;
mod run;
mod sim;
mod stage;

pub use conformance::promises;
pub use enqueued::enqueued;
pub use harness::{Harness, Promise};
pub use hostile::{Hostile, Method, Mishap};
pub use model::ModelQueue;
#[doc(hidden)]
pub use random::run_random_operations;
pub use redis_server::RedisServer;
pub use run::{drain, run_task};
pub use sim::Sim;

#[doc(hidden)]
pub mod __private {
    pub use task_core::TaskQueue;

    pub use crate::enqueued::told;
}

/// Runs futures at the same time, and answers what each answered, in their order.
async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    use std::task::Poll;
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in running.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *answer = Some(ready);
            }
        }
        if running.iter().all(|(_, answer)| answer.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, answer)| answer).collect()
}
