use std::{path::PathBuf, time::Duration};

use super::{Logs, Mistake, Surroundings, WorkerSettings, program, queue_url, times};
use crate::cli::WorkerArgs;

/// What the binary `task-worker` is to do.
#[derive(Clone, Debug)]
pub(crate) struct LoneWorker {
    pub(crate) url: String,
    pub(crate) label: String,
    pub(crate) worker: WorkerSettings,
    pub(crate) tasks: PathBuf,
    pub(crate) drain: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) logs: Logs,
}

impl LoneWorker {
    pub(crate) fn resolve(args: WorkerArgs, around: &Surroundings<'_>) -> Result<Self, Mistake> {
        let flag = if args.redis_url.is_some() { "--redis-url" } else { "--queue" };
        let url = queue_url::resolve(flag, args.queue.or(args.redis_url), around)?;
        let Some(url) = url.filter(|url| !around.backends.in_process(url)) else {
            return Err(Mistake(
                "a task-worker alone needs a queue that other programs reach: give one with -q localhost:6379 or \
                 --redis-url redis://localhost:6379 (`memory:` lives inside one process: task-orchestrator --input runs \
                 on it)"
                    .into(),
            ));
        };
        Ok(Self {
            url,
            label: args.worker_id.or_else(|| around.env("WORKER_ID")).unwrap_or_else(|| "worker_1".into()),
            worker: WorkerSettings::resolve(&args.common, around)?,
            tasks: program::tasks_file(args.tasks, around)?,
            drain: args.drain,
            connect_timeout: times::some("--connect-timeout", &args.common.connect_timeout)?,
            logs: Logs::resolve(&args.common, if args.drain { "warning" } else { "info" }, around)?,
        })
    }
}
