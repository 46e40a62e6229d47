//! The command line as it is typed. Values are read into their types here, so that a slip is told with the flag's name.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};
use task_core::{InvalidDuration, Name, TaskId, TaskStatus, Timestamp, parse_duration};

const EVERYWHERE: &str = "Options of every command";

const HELP: &str = "\
{about}

Examples:
  taskctl -q localhost:6379 enqueue word_count '{\"path\": \"README.md\"}' --wait
  taskctl -q localhost:6379 explain ID           why a task does not run
  export TASK_QUEUE=rediss://ann:secret@host     then without -q, and the password stays out of `ps`
  taskctl list --state failed
  taskctl --queue-name mail export | taskctl -q other-host import -

{usage-heading} {usage}

{all-args}

Exit codes: 0 done; 1 the task FAILED or was CANCELLED; 2 a wrong flag, file or line; 3 the queue can't be reached or
refuses us; 4 no such task; 5 not final yet, or not in time; 6 refused: full, a duplicate, a status that forbids it.
";

/// Enqueues tasks, looks at them, says why they do not run, and mends what is stuck.
#[derive(Debug, Parser)]
#[command(version, about, help_template = HELP, infer_subcommands = false)]
pub(crate) struct Args {
    /// Where the tasks are: host:port, redis://…, rediss://…, redis+unix://…
    #[arg(short, long, value_name = "QUEUE", global = true, help_heading = EVERYWHERE, env = "TASK_QUEUE", hide_env_values = true)]
    pub(crate) queue: Option<String>,

    /// The named queue [default: tasks]
    #[arg(long, value_name = "NAME", global = true, help_heading = EVERYWHERE)]
    pub(crate) queue_name: Option<Name>,

    /// One JSON object a line instead of text for people
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,

    /// How long the connection is tried
    #[arg(long, value_name = "TIME", global = true, help_heading = EVERYWHERE, default_value = "5s", value_parser = time)]
    pub(crate) connect_timeout: Duration,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Enqueue a task, and print its id
    Enqueue(EnqueueArgs),
    /// Print what a task returned
    Result {
        id: TaskId,
        /// Wait until it is final: without end, or so long
        #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = time)]
        #[expect(clippy::option_option, reason = "clap's form of a flag with an optional value")]
        wait: Option<Option<Duration>>,
    },
    /// Show everything that is known of a task
    Status { id: TaskId },
    /// Say why a task does not run
    Explain { id: TaskId },
    /// Cancel a task: at once if it waits; if it runs, its worker is told
    Cancel { id: TaskId },
    /// Run a FAILED or CANCELLED task again, under its id
    Replay(ReplayArgs),
    /// Forget a final task, and its id
    Delete { id: TaskId },
    /// List tasks
    List {
        /// PENDING, RUNNING, RETRY, COMPLETED, FAILED, SKIPPED or CANCELLED [default: any]
        #[arg(long)]
        state: Option<TaskStatus>,
        /// Only of this name
        #[arg(long)]
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
    /// Give nothing out; what runs goes on
    Pause { name: Name },
    /// Give tasks out again
    Resume { name: Name },
    /// Cancel everything that waits
    Purge {
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
        #[arg(long)]
        state: Vec<TaskStatus>,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ReplayArgs {
    pub(crate) id: Option<TaskId>,
    /// Every task of the named queue that is FAILED now
    #[arg(long)]
    pub(crate) all_failed: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EnqueueArgs {
    /// The name of the task
    pub(crate) name: Name,
    /// Its params, or - to read them from stdin [default: {}]
    #[arg(value_name = "JSON|-")]
    pub(crate) params: Option<String>,
    /// Under this id: to enqueue it again is then the same as to enqueue it once [default: a new one]
    #[arg(long)]
    pub(crate) id: Option<TaskId>,
    /// Start so long after now
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "at")]
    pub(crate) delay: Option<Duration>,
    /// Start at this time, such as 2030-01-31T18:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub(crate) at: Option<Timestamp>,
    /// Cancel it unless it has started so long after now
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) expires: Option<Duration>,
    /// 0 to 100, the highest first [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=100))]
    pub(crate) priority: Option<u8>,
    /// Not while a task of this name and key is live
    #[arg(long, value_name = "KEY")]
    pub(crate) unique: Option<String>,
    /// How often a failed attempt is tried again [default: what the worker says, else 3]
    #[arg(long, value_name = "N")]
    pub(crate) max_retries: Option<u32>,
    /// How many times its worker may die under it; 0 means at most once [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) max_crashes: Option<u8>,
    /// The longest an attempt may take [default: what the worker says, else no limit]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    /// How long its result is kept [default: 24h, 7d if it FAILED]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) retention: Option<Duration>,
    /// Wait for the result: without end, or so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = time)]
    #[expect(clippy::option_option, reason = "clap's form of a flag with an optional value")]
    pub(crate) wait: Option<Option<Duration>>,
}

fn time(text: &str) -> Result<Duration, InvalidDuration> {
    parse_duration(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_consistent_and_the_help_begins_with_examples() {
        Args::command().debug_assert();
        let help = Args::command().render_long_help().to_string();
        assert!(help.find("Examples:").unwrap() < help.find("--queue").unwrap(), "{help}");
    }

    #[test]
    fn wait_takes_the_next_word_and_waits_without_end_where_there_is_none() {
        let wait = |line: &str| match Args::try_parse_from(line.split(' ')).unwrap().verb {
            Verb::Result { wait, .. } => wait,
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
