//! What was typed, as plain commands that can be carried out: checked as far as it goes without a queue.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::Path,
    time::Duration,
};

use task_core::{Name, TaskId, TaskMessage, TaskQueue, TaskStatus, jsonl};
use task_queue_redis::url_from_env;

use crate::{
    answer::Deed,
    cli::{EnqueueArgs, Everywhere, QueueVerb as Verb},
    connect::backends,
};

/// A command, and where it goes.
pub(crate) struct Order {
    pub(crate) url: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) json: bool,
    pub(crate) queue: Name,
    pub(crate) command: Command,
}

/// What to do with a named queue.
pub(crate) enum Command {
    Enqueue { message: Box<TaskMessage>, wait: Option<Wait> },
    Result { id: TaskId, wait: Option<Wait> },
    Status(TaskId),
    Explain(TaskId),
    Cancel(TaskId),
    Control(Deed, Option<TaskId>),
    ReplayAllFailed,
    List { status: Option<TaskStatus>, name: Option<Name>, limit: usize },
    Stats,
    Workers,
    Queues,
    Import(Box<dyn BufRead + Send>),
    Export(Vec<TaskStatus>),
}

/// For how long to wait for a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    WithoutEnd,
    For(Duration),
}

/// What was wrong, with what value, and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Mistake(String);

impl Order {
    /// Reads what the command line names: stdin, or a file; `env` looks a variable of the environment up.
    pub(crate) fn resolve(
        args: Everywhere,
        verb: Verb,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Mistake> {
        let url = url(args.queue.or_else(|| url_from_env(env)))?;
        let queue = args.queue_name.clone().unwrap_or(Name::DEFAULT_QUEUE);
        let (queue, command) = match verb {
            Verb::Pause { name } => (one_queue(args.queue_name, name)?, Command::Control(Deed::Pause, None)),
            Verb::Resume { name } => {
                (one_queue(args.queue_name, name)?, Command::Control(Deed::Resume, None))
            }
            Verb::Purge { name, yes } => {
                if !yes {
                    return Err(Mistake(format!(
                        "purge cancels every task of queue `{name}` that waits; if that is wanted, add --yes"
                    )));
                }
                (one_queue(args.queue_name, name)?, Command::Control(Deed::Purge, None))
            }
            verb => {
                let command = command(verb, &queue)?;
                (queue, command)
            }
        };
        Ok(Self { url, connect_timeout: args.connect_timeout, json: args.json, queue, command })
    }
}

fn command(verb: Verb, queue: &Name) -> Result<Command, Mistake> {
    Ok(match verb {
        Verb::Enqueue(args) => {
            let wait = wait(args.wait);
            Command::Enqueue { message: Box::new(message(*args, queue)?), wait }
        }
        Verb::Result { id, wait: asked } => Command::Result { id, wait: wait(asked) },
        Verb::Status { id } => Command::Status(id),
        Verb::Explain { id } => Command::Explain(id),
        Verb::Cancel { id } => Command::Cancel(id),
        Verb::Replay(args) => match args.id {
            Some(id) => Command::Control(Deed::Replay, Some(id)),
            None => Command::ReplayAllFailed,
        },
        Verb::Delete { id } => Command::Control(Deed::Delete, Some(id)),
        Verb::List { state, name, limit } => Command::List { status: state, name, limit: limit as usize },
        Verb::Stats => Command::Stats,
        Verb::Workers => Command::Workers,
        Verb::Queues => Command::Queues,
        Verb::Pause { .. } => Command::Control(Deed::Pause, None),
        Verb::Resume { .. } => Command::Control(Deed::Resume, None),
        Verb::Purge { .. } => Command::Control(Deed::Purge, None),
        Verb::Import { file } => Command::Import(open(&file)?),
        Verb::Export { state } if state.is_empty() => {
            Command::Export(vec![TaskStatus::Pending, TaskStatus::Retry])
        }
        Verb::Export { state } => Command::Export(state),
    })
}

fn url(said: Option<String>) -> Result<String, Mistake> {
    let url = said.map(|url| url.trim().to_owned()).unwrap_or_default();
    if url.is_empty() {
        return Err(Mistake("no queue is named: give one with -q localhost:6379, or set TASK_QUEUE".into()));
    }
    if url == "memory" || url.starts_with("memory:") {
        return Err(Mistake(format!(
            "the queue `{}` lives inside one process, and taskctl is another one: give the queue that the workers share \
             with -q localhost:6379 (task-orchestrator --input runs tasks on memory:)",
            url.escape_debug()
        )));
    }
    backends().check(&url).map_err(|error| Mistake(error.to_string()))?;
    Ok(url)
}

/// A queue that is named twice is named twice the same.
fn one_queue(flag: Option<Name>, name: Name) -> Result<Name, Mistake> {
    match flag {
        Some(flag) if flag != name => Err(Mistake(format!(
            "the command names the queue `{name}`, and --queue-name names `{flag}`; leave out --queue-name"
        ))),
        _ => Ok(name),
    }
}

#[expect(clippy::option_option, reason = "clap's form of a flag with an optional value")]
fn wait(asked: Option<Option<Duration>>) -> Option<Wait> {
    asked.map(|time| time.map_or(Wait::WithoutEnd, Wait::For))
}

fn message(args: EnqueueArgs, queue: &Name) -> Result<TaskMessage, Mistake> {
    let params = match args.params.as_deref() {
        None => "{}".to_owned(),
        Some("-") => stdin()?,
        Some(json) => json.to_owned(),
    };
    let params = jsonl::params(&params).map_err(|error| {
        let file = args.params.as_deref().is_some_and(|params| params.starts_with('@'));
        let remedy = if file { "read a file with - < FILE" } else { "quote them as '{\"path\": \"a\"}'" };
        Mistake(format!("the params of `{}`: {error}; {remedy}", args.name))
    })?;
    if params.len() > TaskQueue::MAX_PAYLOAD {
        let (size, most) = (params.len(), TaskQueue::MAX_PAYLOAD);
        return Err(Mistake(format!(
            "the params of `{}` have {size} bytes, and {most} are allowed; keep the data elsewhere and enqueue its name",
            args.name
        )));
    }
    let options = args.options(queue);
    let id = args.id.unwrap_or_else(TaskId::new);
    TaskMessage::new(id, args.name.to_string(), params, options).map_err(|error| Mistake(error.to_string()))
}

fn stdin() -> Result<String, Mistake> {
    let mut text = String::new();
    let read = io::stdin().take(jsonl::MAX_LINE as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| Mistake(format!("can't read the params from stdin: {error}")))?;
    if text.len() > jsonl::MAX_LINE {
        return Err(Mistake(format!("the params on stdin have more than {} bytes", jsonl::MAX_LINE)));
    }
    Ok(text)
}

fn open(file: &Path) -> Result<Box<dyn BufRead + Send>, Mistake> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let open = File::open(file).and_then(|open| {
        if open.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(open) }
    });
    let open = open.map_err(|error| {
        Mistake(format!("can't read {}: {error}; give a file of JSON lines, or - for stdin", file.display()))
    })?;
    Ok(Box::new(BufReader::new(open)))
}
