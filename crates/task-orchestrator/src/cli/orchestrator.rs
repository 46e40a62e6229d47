use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, ValueHint};

use super::{BATCH, Common, LOOKING, RUNS, STOPPING};

macro_rules! rest {
    () => {
        "
{usage-heading} {usage}

{all-args}

Environment: what stands beside the flags; REDIS_PASSWORD, or the file that REDIS_PASSWORD_FILE names, is the password of
a queue that has none in it.
Exit codes: 0 done, or stopped cleanly; 1 a task FAILED or was CANCELLED (--drain); 2 a wrong flag, file or line of
the input; 3 the queue can't be reached or refuses us; 130 and 143 a batch cut short by INT or TERM.
TERM or INT: what runs may go on for --grace, the rest is given back; a second one: now. HUP: a rolling restart.
"
    };
}

/// Of `task-orchestrator`.
pub(crate) const HELP: &str = concat!(
    "\
{about}

Examples:
  NAME -n 4 --input jobs.jsonl --drain tasks.toml     one batch, no server: results on stdout
  NAME -n 4 -q localhost:6379                         four workers with ./tasks.toml on Redis
  NAME -n 4 -q localhost:6379 ./myworker -- --fast    the same with a program of your own
  TASK_QUEUE=rediss://ann:secret@host NAME -n 4       a password stays out of `ps`
",
    rest!()
);

/// Of a program with tasks of its own.
pub(crate) const OWN_HELP: &str = concat!(
    "\
{about}

Examples:
  NAME -n 4 --input jobs.jsonl --drain             one batch, no server: results on stdout
  NAME -n 4 -q localhost:6379                      four processes of this program on Redis
  NAME -n 4 -q localhost:6379 tasks.toml           the same, with commands beside its own tasks
  TASK_QUEUE=rediss://ann:secret@host NAME -n 4    a password stays out of `ps`
",
    rest!()
);

/// Keeps N workers alive, or runs one batch of tasks.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct OrchestratorArgs {
    /// What runs the tasks: a program, a script (.py runs with python3) or a tasks file (.toml) [default: this
    /// program, with ./tasks.toml where it has no tasks of its own]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) worker: Option<PathBuf>,

    /// Arguments of the program
    #[arg(last = true)]
    pub(crate) args: Vec<OsString>,

    /// How many workers run: processes, or, on `memory:`, parts of this one
    #[arg(short = 'n', long, value_name = "N", default_value_t = 4, allow_negative_numbers = true, help_heading = RUNS)]
    pub(crate) workers: u32,

    /// Where the tasks are: host:port, redis://…, rediss://…, redis+unix://…, redis+sentinel://…, or
    /// memory: (inside this process) [default: memory:] [env: TASK_QUEUE, REDIS_URL, REDIS_HOST with REDIS_PORT]
    #[arg(short, long, value_name = "QUEUE", help_heading = RUNS)]
    pub(crate) queue: Option<String>,

    /// Enqueue these tasks, one JSON object a line: {"task": "word_count", "params": {…}}; - is stdin
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath, help_heading = BATCH)]
    pub(crate) input: Option<PathBuf>,

    /// Stop when the tasks of --input are final and print each result as a line of JSON; without --input, stop
    /// when the named queues are empty
    #[arg(long, help_heading = BATCH)]
    pub(crate) drain: bool,

    /// So many starts within a minute that come to nothing park a worker process for a minute
    #[arg(
        short = 'r',
        long,
        value_name = "N",
        default_value_t = 3,
        allow_negative_numbers = true,
        help_heading = STOPPING
    )]
    pub(crate) max_restarts: u32,

    /// A worker process that spoke and then is silent for so long is restarted
    #[arg(short, long, value_name = "SECONDS", default_value = "30", help_heading = STOPPING)]
    pub(crate) timeout: String,

    /// How long a worker process may take until it says that it is ready
    #[arg(long, value_name = "TIME", default_value = "30s", help_heading = STOPPING)]
    pub(crate) ready_timeout: String,

    /// Metrics and probes are served here [default: 8000]
    #[arg(long, value_name = "PORT", help_heading = LOOKING)]
    pub(crate) monitoring_port: Option<u16>,

    /// On this address; 0.0.0.0 is every one that this machine has [default: 127.0.0.1]
    #[arg(long, value_name = "HOST", help_heading = LOOKING)]
    pub(crate) monitoring_host: Option<String>,

    /// Serve no metrics and probes
    #[arg(long, conflicts_with_all = ["monitoring_port", "monitoring_host"], help_heading = LOOKING)]
    pub(crate) no_monitoring: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

impl AsRef<Common> for OrchestratorArgs {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
