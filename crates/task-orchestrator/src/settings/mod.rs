//! What the flags and the environment mean, found out and checked before anything is opened.

mod logs;
mod lone;
mod monitoring;
mod program;
mod queue_url;
mod times;
mod weights;
mod worker;

use std::{path::PathBuf, time::Duration};

use task_core::{Backends, without_password};

pub(crate) use self::{
    logs::Logs, lone::LoneWorker, monitoring::Monitoring, program::Program, queue_url::redis_parts,
    worker::WorkerSettings,
};
use crate::cli::OrchestratorArgs;

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

impl Surroundings<'_> {
    /// A variable; an empty one is none.
    fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// What a flag says, else a variable; and which of them it was.
    fn said<'n>(&self, flag: &'n str, value: Option<String>, variable: &'n str) -> Option<(&'n str, String)> {
        value.map(|value| (flag, value)).or_else(|| Some((variable, self.env(variable)?)))
    }
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
    /// What is not final when this process ends is there for the next one.
    pub(crate) outlives: bool,
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
        if args.max_restarts == 0 {
            return Err(Mistake(
                "--max-restarts 0: it is the number of starts that come to nothing; 1 parks a worker at the first".into(),
            ));
        }
        let url = queue_url::resolve("--queue", args.queue, around)?.unwrap_or_else(|| "memory:".into());
        let program = Program::resolve(args.worker, args.args, around)?;
        let inside = around.backends.in_process(&url);
        let outlives = around.backends.outlives_process(&url);
        if inside {
            let has_work = args.input.is_some() || args.drain && outlives;
            if !has_work {
                let or =
                    if outlives { ", finish what an earlier process left in it with --drain" } else { "" };
                return Err(Mistake(format!(
                    "the queue `{}` lives in this process, and nothing could enqueue on it: give it tasks with \
                     --input FILE{or}, or take a queue that other programs reach with -q localhost:6379",
                    without_password(&url)
                )));
            }
            program.must_run_inside(&url, around.own_tasks)?;
        }
        Ok(Self {
            url,
            inside,
            outlives,
            workers: args.workers,
            worker: WorkerSettings::resolve(&args.common, around)?,
            program,
            input: args.input.map(|file| Input::resolve(file, around)).transpose()?,
            drain: args.drain,
            max_restarts: args.max_restarts,
            timeout: times::at_least("--timeout", &args.timeout, Duration::from_secs(1))?,
            ready_timeout: times::some("--ready-timeout", &args.ready_timeout)?,
            connect_timeout: times::some("--connect-timeout", &args.common.connect_timeout)?,
            monitoring: Monitoring::resolve(args.no_monitoring, args.monitoring_host, args.monitoring_port)?,
            // in a batch people look for results: what its workers do goes without saying
            logs: Logs::resolve(&args.common, if args.drain { "warning" } else { "info" }, around)?,
        })
    }
}

impl Input {
    fn resolve(file: PathBuf, around: &Surroundings<'_>) -> Result<Self, Mistake> {
        if file.to_str() == Some("-") {
            return Ok(Self::Stdin);
        }
        let path = around.folder.join(&file);
        let wrong = match path.metadata() {
            // a pipe is fine too: --input <(generate)
            Ok(found) if !found.is_dir() => return Ok(Self::File(path)),
            Ok(_) => "this is a folder",
            Err(_) => "there is no such file",
        };
        Err(Mistake(format!(
            "--input {}: {wrong}; give the path of a file of JSON lines, or - for stdin",
            file.display()
        )))
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
