//! Orchestrator and worker in one.

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use example_rust_tasks::{CountAll, CountWords};
use task_worker::prelude::*;

/// Called in processes that run tasks, and in no other: here is the place to connect to a database.
async fn tasks() -> anyhow::Result<TaskRegistry> {
    let library = env::var_os("LIBRARY").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let library = library.canonicalize().with_context(|| format!("LIBRARY is {}", library.display()))?;
    Ok(TaskRegistry::new().register(CountWords::task(library)).register(CountAll::task()))
}

fn main() -> ExitCode {
    task_orchestrator::run(tasks)
}
