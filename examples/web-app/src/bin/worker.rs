//! The workers of the web app.

use std::process::ExitCode;

use example_web_app::WriteReport;
use task_worker::prelude::*;

fn main() -> ExitCode {
    task_orchestrator::run(async || TaskRegistry::new().register(WriteReport::task()))
}
