use std::time::Duration;

use task_core::Name;
use tracing::level_filters::LevelFilter;

use super::{Logs, Program, Settings, WorkerSettings};

impl Settings {
    /// For tests: one worker on `memory:` without anything to do, and times that only end a test that hangs.
    pub(crate) fn sample() -> Self {
        let long = Duration::from_secs(60);
        Self {
            url: "memory:".into(),
            inside: true,
            outlives: false,
            workers: 1,
            worker: WorkerSettings {
                queues: vec![(Name::DEFAULT_QUEUE, 1)],
                concurrency: None,
                max_retries: None,
                grace: long,
            },
            program: Program::BuiltIn { tasks: None },
            input: None,
            drain: false,
            max_restarts: 3,
            timeout: long,
            ready_timeout: long,
            connect_timeout: long,
            monitoring: None,
            logs: Logs { level: LevelFilter::INFO, json: false },
        }
    }
}
