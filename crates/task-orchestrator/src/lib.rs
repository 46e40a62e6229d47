//! Keeps N workers alive: the supervisor, and the binaries `task-orchestrator` and `task-worker`.
//!
//! A program of your own becomes orchestrator and worker in one, with every flag of `task-orchestrator`:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use task_worker::prelude::*;
//!
//! #[task]
//! async fn count_words(text: String) -> TaskResult<usize> {
//!     Ok(text.split_whitespace().count())
//! }
//!
//! async fn registry() -> TaskRegistry {
//!     TaskRegistry::new().register(CountWords::task())
//! }
//!
//! fn main() -> ExitCode {
//!     task_orchestrator::run(registry)
//! }
//! ```
//!
//! Started as `./myprogram -n 4 -q localhost:6379` it supervises four processes of itself, which are told by their
//! environment that they are workers; `registry` is called in these only, so the supervisor opens no database. On
//! `memory:` with `--input jobs.jsonl` the workers live inside the one process.
//!
//! A backend of your own is one more call: [`App::backend`].

mod app;
mod batch;
mod cli;
mod connect;
mod crew;
mod exit;
mod inside;
mod logging;
mod monitoring;
mod observed;
mod orchestrate;
mod service_manager;
mod settings;
mod signals;
mod silence;
mod supervisor;
mod work;
mod worker_process;

pub use app::{App, IntoRegistry, run};
#[doc(hidden)]
pub use app::{orchestrator_main, worker_main};
