//! Runs tasks: registry, context, worker and command tasks of the task framework.
#![allow(dead_code, reason = "the worker that uses the inner parts comes next")]

mod blocking;
mod context;
mod follow_up;
mod panic;
mod registry;
mod task;

#[doc(hidden)]
pub use blocking::blocking;
pub use context::TaskContext;
pub use registry::TaskRegistry;
pub use task::{Task, TaskReturn};
pub use task_core as core;
pub use task_macros::task;

/// What a program with tasks needs most.
pub mod prelude {
    pub use task_core::prelude::*;

    pub use crate::{Task, TaskContext, TaskRegistry, task};
}

// `#[task]` names this crate by its own name, also in its own tests.
extern crate self as task_worker;
