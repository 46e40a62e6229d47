//! What a queue backend is: each function is one promise, named in a sentence, that every backend keeps.
//!
//! [`conformance!`](crate::conformance) makes a test of each. To add one, write it in the file of its subject and name
//! it in `list.rs`.
#![allow(missing_docs, reason = "each name is the sentence that there is to say")]

pub mod claim;
pub mod control;
pub mod counts;
pub mod enqueue;
pub mod fencing;
pub mod heartbeat;
pub mod lease;
pub mod lifecycle;
mod list;
pub mod look;
pub mod names;
pub mod queues;
pub mod resend;
pub mod retention;
pub mod settle;
pub mod suspects;
pub mod timing;
pub mod unheld;
pub mod unique;
pub mod waiting;

pub use list::promises;
