//! The command line as it is typed. Values are read into their types here, so that a slip is told with the flag's name.

use std::{path::PathBuf, time::Duration};

use clap::{
    Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use task_core::{InvalidDuration, Name, TaskId, TaskStatus, parse_duration};

mod enqueue;
mod help;
mod manual;

pub(crate) use enqueue::EnqueueArgs;
pub(crate) use help::{completions, parse};
pub(crate) use manual::write_to as write_manual;

const EVERYWHERE: &str = "Options of every command";

/// Enqueues tasks, looks at them, says why they do not run, and mends what is stuck.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Everywhere {
    /// Where the tasks are: host:port, redis://…, rediss://…, redis+unix://…, redis+sentinel://…
    /// [env: TASK_QUEUE, else REDIS_URL, else REDIS_HOST and REDIS_PORT]
    #[arg(short, long, value_name = "QUEUE", global = true, help_heading = EVERYWHERE)]
    pub(crate) queue: Option<String>,

    /// The named queue [default: tasks]
    #[arg(long, value_name = "NAME", global = true, help_heading = EVERYWHERE)]
    pub(crate) queue_name: Option<Name>,

    /// One JSON object a line instead of text for people
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,

    /// How long to try to connect
    #[arg(long, value_name = "TIME", global = true, help_heading = EVERYWHERE, default_value = "5s", value_parser = time)]
    pub(crate) connect_timeout: Duration,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    OnQueue(QueueVerb),
    /// Print a script that completes commands and flags on Tab
    Completions {
        /// The shell that reads it
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command
    #[command(hide = true)]
    Man {
        /// The folder that they are written to
        folder: PathBuf,
    },
}

/// What to do with a queue.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    /// Enqueue a task, and print its id
    Enqueue(Box<EnqueueArgs>),
    /// Print what a task returned
    Result {
        /// The task
        id: TaskId,
        /// Wait until it is final: without end, or so long
        #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = time)]
        #[expect(clippy::option_option, reason = "clap's form of a flag with an optional value")]
        wait: Option<Option<Duration>>,
    },
    /// Show everything that is known of a task
    Status {
        /// The task
        id: TaskId,
    },
    /// Say why a task does not run
    Explain {
        /// The task
        id: TaskId,
    },
    /// Cancel a task: at once if it waits; if it runs, its worker is told
    Cancel {
        /// The task
        id: TaskId,
    },
    /// Run a FAILED or CANCELLED task again, under its id
    Replay(ReplayArgs),
    /// Forget a final task, and its id
    Delete {
        /// The task
        id: TaskId,
    },
    /// List tasks
    List {
        /// Only in this state [default: any]
        #[arg(long, value_name = "STATE", value_parser = state(), ignore_case = true)]
        state: Option<TaskStatus>,
        /// Only of this name [default: any]
        #[arg(long, value_name = "TASK")]
        name: Option<Name>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show how the named queue stands
    Stats,
    /// List the workers of the named queue that are alive
    Workers,
    /// List the named queues
    Queues,
    /// Give no task of a named queue out; what runs goes on
    Pause {
        /// The named queue
        name: Name,
    },
    /// Give tasks of a named queue out again
    Resume {
        /// The named queue
        name: Name,
    },
    /// Cancel everything that waits in a named queue
    Purge {
        /// The named queue
        name: Name,
        /// Really do it
        #[arg(long)]
        yes: bool,
    },
    /// Enqueue tasks from JSON lines, such as `export` writes; what is there already is left as it is
    Import {
        /// A file, or - for stdin
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
    /// Write tasks as JSON lines, such as `import` reads
    Export {
        /// Of this state, may be repeated [default: PENDING and RETRY]. To miss nothing, pause the queue first
        #[arg(long, value_name = "STATE", value_parser = state(), ignore_case = true)]
        state: Vec<TaskStatus>,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ReplayArgs {
    /// The task
    pub(crate) id: Option<TaskId>,
    /// Every task of the named queue that is FAILED now
    #[arg(long)]
    pub(crate) all_failed: bool,
}

/// With the names of all states, so that the help, errors and completions tell them.
fn state() -> impl TypedValueParser<Value = TaskStatus> {
    PossibleValuesParser::new(TaskStatus::ALL.map(TaskStatus::as_str)).try_map(|text| text.parse())
}

fn time(text: &str) -> Result<Duration, InvalidDuration> {
    parse_duration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_takes_the_next_word_and_waits_without_end_where_there_is_none() {
        let wait = |line: &str| match Args::try_parse_from(line.split(' ')).unwrap().verb {
            Verb::OnQueue(QueueVerb::Result { wait, .. }) => wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("taskctl result a"), None);
        assert_eq!(wait("taskctl result a --wait"), Some(None));
        assert_eq!(wait("taskctl result a --wait 30"), Some(Some(Duration::from_secs(30))));
        assert_eq!(wait("taskctl result a --wait --json"), Some(None));
    }

    #[test]
    fn what_a_later_release_brings_is_not_accepted_before() {
        assert!(Args::try_parse_from(["taskctl", "top"]).is_err());
    }
}
