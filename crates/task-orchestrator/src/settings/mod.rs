//! What the flags and the environment mean, found out and checked before anything is opened.

mod program;
mod queue_url;
mod weights;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use task_core::{Backends, Name, parse_duration, without_password};
use tracing::level_filters::LevelFilter;

pub(crate) use self::{program::Program, queue_url::redis_parts};
use crate::cli::{OrchestratorArgs, WorkerArgs};

/// What was wrong, with what value, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Mistake(pub(crate) String);

/// What the process finds around it; a value, so that resolving stays pure but for looking at files.
pub(crate) struct Surroundings<'a> {
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) folder: PathBuf,
    pub(crate) backends: &'a Backends,
    /// The program has tasks of its own, written in Rust.
    pub(crate) own_tasks: bool,
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Logs {
    pub(crate) level: LevelFilter,
    pub(crate) json: bool,
}

/// What a worker needs to know, wherever it runs.
#[derive(Clone, Debug)]
pub(crate) struct WorkerSettings {
    pub(crate) queues: Vec<(Name, u32)>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) grace: Duration,
}

/// Where metrics and probes are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Monitoring {
    pub(crate) address: SocketAddr,
    /// The port was asked for; else a batch goes on without it where it is taken.
    pub(crate) asked_for: bool,
}

/// Where the tasks of a batch are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Stdin,
    File(PathBuf),
}

/// What the orchestrator is to do.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) url: String,
    /// The queue lives in this process, and so must the workers.
    pub(crate) inside: bool,
    pub(crate) workers: u32,
    pub(crate) worker: WorkerSettings,
    pub(crate) program: Program,
    pub(crate) input: Option<Input>,
    pub(crate) drain: bool,
    pub(crate) max_restarts: u32,
    pub(crate) timeout: Duration,
    pub(crate) ready_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) monitoring: Option<Monitoring>,
    pub(crate) logs: Logs,
}

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

/// More workers than this on one machine are a slip of the finger.
const MAX_WORKERS: u32 = 1024;

impl Settings {
    pub(crate) fn resolve(args: OrchestratorArgs, around: &Surroundings<'_>) -> Result<Self, Mistake> {
        if !(1..=MAX_WORKERS).contains(&args.workers) {
            let n = args.workers;
            return Err(Mistake(format!(
                "--workers {n}: there must be 1 to {MAX_WORKERS} workers; for a machine of four cores write -n 4"
            )));
        }
        let url = queue_url::resolve(args.queue, around)?;
        let url = if url.is_empty() { "memory:".into() } else { url };
        let program = Program::resolve(args.worker, args.args, around)?;
        let inside = around.backends.in_process(&url);
        if inside {
            if args.input.is_none() {
                return Err(Mistake(format!(
                    "the queue `{}` lives in this process, and nothing could enqueue on it: give it tasks with \
                     --input FILE, or a queue that other programs reach with -q localhost:6379",
                    without_password(&url)
                )));
            }
            program.must_run_inside(&url)?;
        }
        let input = args.input.map(|file| match file.to_str() {
            Some("-") => Ok(Input::Stdin),
            // a pipe is fine too: --input <(generate)
            _ if around.folder.join(&file).metadata().is_ok_and(|found| !found.is_dir()) => {
                Ok(Input::File(around.folder.join(file)))
            }
            _ => Err(Mistake(format!(
                "--input {}: there is no such file; give the path of a file of JSON lines, or - for stdin",
                file.display()
            ))),
        });
        let address = format!("{}:{}", args.monitoring_host, args.monitoring_port.unwrap_or(8000));
        let monitoring = match (args.no_monitoring, address.parse()) {
            (true, _) => None,
            (false, Ok(address)) => Some(Monitoring { address, asked_for: args.monitoring_port.is_some() }),
            (false, Err(_)) => {
                let host = args.monitoring_host;
                return Err(Mistake(format!(
                    "--monitoring-host {}: this is no IP address; write 127.0.0.1, or 0.0.0.0 for all interfaces",
                    host.escape_debug()
                )));
            }
        };
        Ok(Self {
            url,
            inside,
            workers: args.workers,
            worker: WorkerSettings {
                queues: weights::resolve(&args.queue_name, around)?,
                concurrency: concurrency(args.concurrency)?,
                max_retries: args.max_retries,
                grace: time("--grace", &args.grace)?,
            },
            program,
            input: input.transpose()?,
            drain: args.drain,
            max_restarts: args.max_restarts,
            timeout: time("--timeout", &args.timeout)?,
            ready_timeout: time("--ready-timeout", &args.ready_timeout)?,
            connect_timeout: time("--connect-timeout", &args.connect_timeout)?,
            monitoring,
            // in a batch people look for results: what its workers do goes without saying
            logs: Logs::resolve(
                args.log_level,
                &args.log_format,
                if args.drain { "warning" } else { "info" },
                around,
            )?,
        })
    }
}

impl LoneWorker {
    pub(crate) fn resolve(args: WorkerArgs, around: &Surroundings<'_>) -> Result<Self, Mistake> {
        let url = queue_url::resolve(args.queue.or(args.redis_url), around)?;
        if url.is_empty() || around.backends.in_process(&url) {
            return Err(Mistake(
                "a task-worker alone needs a queue that other programs reach: give one with -q localhost:6379 or \
                 --redis-url redis://localhost:6379 (`memory:` lives inside one process: task-orchestrator --input runs \
                 on it)"
                    .into(),
            ));
        }
        let tasks = program::tasks_file(args.tasks, around)?;
        let label = args.worker_id.or_else(|| (around.env)("WORKER_ID")).unwrap_or_else(|| "worker_1".into());
        Ok(Self {
            url,
            label,
            worker: WorkerSettings {
                queues: weights::resolve(&args.queue_name, around)?,
                concurrency: concurrency(args.concurrency)?,
                max_retries: args.max_retries,
                grace: time("--grace", &args.grace)?,
            },
            tasks,
            drain: args.drain,
            connect_timeout: time("--connect-timeout", &args.connect_timeout)?,
            logs: Logs::resolve(args.log_level, &args.log_format, "info", around)?,
        })
    }
}

impl Logs {
    pub(crate) fn resolve(
        level: Option<String>,
        format: &str,
        default: &str,
        around: &Surroundings<'_>,
    ) -> Result<Self, Mistake> {
        let level = level.or_else(|| (around.env)("LOG_LEVEL").filter(|level| !level.is_empty()));
        let level = level.as_deref().unwrap_or(default);
        let parsed = match level.to_ascii_lowercase().as_str() {
            "warning" => Ok(LevelFilter::WARN),
            "critical" => Ok(LevelFilter::ERROR),
            other => other.parse(),
        };
        let level = parsed.map_err(|_| {
            let wrong = level.escape_debug();
            Mistake(format!("--log-level {wrong}: there are error, warning, info, debug, trace and off"))
        })?;
        let json = match format {
            "text" => false,
            "json" => true,
            wrong => {
                return Err(Mistake(format!(
                    "--log-format {}: there are text and json",
                    wrong.escape_debug()
                )));
            }
        };
        Ok(Self { level, json })
    }
}

fn time(flag: &str, text: &str) -> Result<Duration, Mistake> {
    parse_duration(text).map_err(|error| Mistake(format!("{flag}: {error}")))
}

fn concurrency(asked: Option<u32>) -> Result<Option<u32>, Mistake> {
    match asked {
        Some(0) => Err(Mistake(
            "--concurrency 0: a worker must run at least one task at once; leave the flag out for the default".into(),
        )),
        other => Ok(other),
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
