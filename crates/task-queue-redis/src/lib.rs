//! The Redis backend of the task framework.
//!
//! Its scripts, keys and records are here; the calls of [`task_core::Queue`] over them follow.
#![expect(dead_code, reason = "the calls that use the scripts follow")]

mod clock;
mod error;
mod keys;
mod record;
mod reply;
mod script;

pub use task_core;
