//! The conformance suite that defines what a queue backend is, and what is needed to test with one.
//!
//! A backend is tested by saying how it is opened and how its clock moves on ([`Harness`]); then
//! [`conformance!`] makes one test of each promise.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod conformance;
mod harness;
mod hostile;
mod model;
mod random;
mod redis_server;
mod sim;
mod stage;

pub use conformance::promises;
pub use harness::{Harness, Promise};
pub use hostile::{Hostile, Method, Mishap};
pub use model::ModelQueue;
#[doc(hidden)]
pub use random::run_random_operations;
pub use redis_server::RedisServer;
pub use sim::Sim;

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
