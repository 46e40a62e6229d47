//! An orchestrator with all its flags, and with a backend of one's own; README.md shows what it does.

use std::{process::ExitCode, time::Duration};

use example_custom_backend::FileQueue;
use task_orchestrator::App;
use task_worker::prelude::*;

#[task]
async fn shout(words: String, seconds: Option<f32>) -> TaskResult<String> {
    tokio::time::sleep(Duration::from_secs_f32(seconds.unwrap_or(0.0))).await;
    Ok(words.to_uppercase())
}

fn main() -> ExitCode {
    App::new().backend::<FileQueue>().run(async || TaskRegistry::new().register(Shout::task()))
}
