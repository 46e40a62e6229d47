//! Orchestrator and worker in one.

use std::process::ExitCode;

use example_thumbnails::Thumbnail;
use task_worker::prelude::*;

fn main() -> ExitCode {
    task_orchestrator::run(async || TaskRegistry::new().register(Thumbnail::task()))
}
