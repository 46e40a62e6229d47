//! Messages, states, errors and the queue contract of the task framework.
//!
//! Code that enqueues depends on this crate alone and takes a [`TaskQueue`]; only a program's `main` names a backend.
//! A kind of task is a type of params with a stable name:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use std::time::Duration;
//! use task_core::{ResultError, TaskParams, TaskQueue};
//!
//! #[derive(Serialize, Deserialize, TaskParams)]
//! #[task(output = u64, max_retries = 5)]
//! pub struct Extract {
//!     pub source: String,
//! }
//!
//! pub async fn rows(queue: &TaskQueue, source: String) -> Result<u64, ResultError> {
//!     let handle = queue.enqueue(Extract { source }).priority(80).await?;
//!     handle.result(Duration::from_secs(10)).await
//! }
//! ```
//!
//! From there a task goes [one way](TRANSITIONS): a [`TaskMessage`] in the queue and a [`ResultMessage`] PENDING, in one
//! step; a worker takes it and settles it; the app asks for the result until it is final. How it is stored is a
//! backend's business, which implements [`Queue`].
#![cfg_attr(docsrs, feature(doc_cfg))]

// the derive names this crate by its own name, also in its own tests
extern crate self as task_core;

mod backends;
mod client;
mod duration;
mod erased;
mod error;
mod failure;
mod from_text;
mod id;
mod incarnation;
mod json;
#[cfg(feature = "jsonl")]
pub mod jsonl;
mod message;
mod name;
mod options;
mod params;
mod payload;
mod printable;
mod queue;
mod queue_error;
mod result;
mod result_error;
mod retry;
mod room;
mod status;
mod timestamp;
mod transcode;
mod wire;

pub use backends::{Backends, FromUrl, without_password};
pub use client::{Enqueue, TaskHandle, TaskQueue};
pub use duration::{InvalidDuration, format_duration, parse_duration};
pub use error::{BoxError, ErrorKind, OrTaskError, TaskError, TaskResult};
pub use failure::{AttemptError, Failure, FailureKind};
pub use id::{InvalidTaskId, TaskId};
pub use incarnation::{Incarnation, InvalidIncarnation, Token};
pub use message::{Reserved, TaskMessage};
pub use name::{InvalidName, Name};
pub use options::{Moment, TaskOptions, UniqueKey, UniqueScope};
pub use params::TaskParams;
pub use payload::{MAX_DEPTH, Payload, decode, encode};
pub use printable::printable;
pub use queue::*;
pub use queue_error::QueueError;
pub use result::{Progress, ResultMessage};
pub use result_error::ResultError;
pub use retry::RetryPolicy;
pub use status::{Event, InvalidStatus, TRANSITIONS, TaskStatus, Transition};
#[cfg(feature = "macros")]
pub use task_macros::TaskParams;
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use transcode::Shown;
pub use wire::WireError;

/// What code that enqueues tasks needs most.
pub mod prelude {
    pub use crate::{OrTaskError as _, TaskError, TaskHandle, TaskParams, TaskQueue, TaskResult};
}

#[doc(hidden)]
pub mod __private {
    pub use serde;
    pub use std::time::Duration;
}
