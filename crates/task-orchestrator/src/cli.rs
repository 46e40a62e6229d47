//! The flags as they are typed; [`settings`](crate::settings) says what they mean.

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory, Parser};

macro_rules! orchestrator_rest {
    () => {
        "
{usage-heading} {usage}

{all-args}

Exit codes: 0 done, or stopped cleanly; 1 a task FAILED or was CANCELLED (--drain); 2 a wrong flag, file or line of
the input; 3 the queue can't be reached or refuses us; 130 and 143 a batch cut short by INT or TERM.
TERM or INT: what runs may go on for --grace, the rest is given back; a second one: now. HUP: a rolling restart.
"
    };
}

/// A command under the name that it was called by; in its help, NAME is that name.
pub(crate) fn command<Args: CommandFactory>(name: &str, help: &str) -> clap::Command {
    let name = name.to_owned();
    Args::command().help_template(help.replace("NAME", &name)).bin_name(name.clone()).name(name)
}

/// Of `task-orchestrator`.
pub(crate) const ORCHESTRATOR_HELP: &str = concat!(
    "\
{about}

Examples:
  NAME -n 4 --input jobs.jsonl --drain tasks.toml     one batch, no server: results on stdout
  NAME -n 4 -q localhost:6379                         four workers with ./tasks.toml on Redis
  NAME -n 4 -q localhost:6379 ./myworker -- --fast    the same with a program of your own
  TASK_QUEUE=rediss://ann:secret@host NAME -n 4       a password stays out of `ps`
",
    orchestrator_rest!()
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
    orchestrator_rest!()
);

/// Keeps N workers alive, or runs one batch of tasks.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct OrchestratorArgs {
    /// How many workers run: processes, or, on `memory:`, parts of this one
    #[arg(short = 'n', long, value_name = "N", default_value_t = 4)]
    pub(crate) workers: u32,

    /// Where the tasks are: host:port, redis://…, rediss://…, redis+unix://…, or memory: (inside this process).
    /// Without it TASK_QUEUE, REDIS_URL, REDIS_HOST with REDIS_PORT, then memory:
    #[arg(short, long, value_name = "QUEUE")]
    pub(crate) queue: Option<String>,

    /// A named queue to work on, may be repeated; of twice the weight twice as much is taken [default: tasks]
    #[arg(long, value_name = "NAME[=WEIGHT]")]
    pub(crate) queue_name: Vec<String>,

    /// How many tasks a worker runs at once [default: 64 async, one a core for blocking code and commands]
    #[arg(short, long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,

    /// So many starts within a minute that come to nothing park a worker for a minute
    #[arg(short = 'r', long, value_name = "N", default_value_t = 3)]
    pub(crate) max_restarts: u32,

    /// A worker that spoke and then is silent for so long is restarted
    #[arg(short, long, value_name = "SECONDS", default_value = "30")]
    pub(crate) timeout: String,

    /// Metrics and probes are served here [default: 8000]
    #[arg(long, value_name = "PORT")]
    pub(crate) monitoring_port: Option<u16>,

    /// On this address
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) monitoring_host: String,

    /// Serve no metrics and probes
    #[arg(long)]
    pub(crate) no_monitoring: bool,

    /// How long running tasks may go on after a stop was asked for
    #[arg(long, value_name = "TIME", default_value = "25s")]
    pub(crate) grace: String,

    /// How often a failed task is tried again where neither it nor its enqueuer says so [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) max_retries: Option<u32>,

    /// Enqueue these tasks, one JSON object a line: {"task": "word_count", "params": {…}}; - is stdin
    #[arg(long, value_name = "FILE|-")]
    pub(crate) input: Option<PathBuf>,

    /// Stop when the tasks of --input are final and print each result as a line of JSON; without --input, stop
    /// when the named queues are empty
    #[arg(long)]
    pub(crate) drain: bool,

    /// How long the first connection is tried
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) connect_timeout: String,

    /// How long a worker may take until it says that it is ready
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) ready_timeout: String,

    /// error, warning, info, debug or trace; also from LOG_LEVEL [default: info, with --drain warning]
    #[arg(long, value_name = "L")]
    pub(crate) log_level: Option<String>,

    /// text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: String,

    /// What runs the tasks: a program, a script (.py runs with python3) or a tasks file (.toml) [default: this
    /// program, with ./tasks.toml where it has no tasks of its own]
    pub(crate) worker: Option<PathBuf>,

    /// Arguments of the program
    #[arg(last = true)]
    pub(crate) args: Vec<OsString>,
}

/// Of `task-worker`.
pub(crate) const WORKER_HELP: &str = "\
{about}

Examples:
  NAME --worker-id worker_1 --redis-url redis://localhost:6379 --queue-name tasks --log-level INFO
  NAME -q localhost:6379 --queue-name mail=3 --queue-name reports --tasks jobs/tasks.toml
  NAME -q localhost:6379 --drain         until the queue is empty

{usage-heading} {usage}

{all-args}

Exit codes: 0 stopped cleanly, or drained; 2 a wrong flag or file; 3 the queue can't be reached or refuses us.
TERM or INT: what runs may go on for --grace, the rest is given back; a second one: now.
";

/// Runs the tasks of a tasks file: one worker, in this process.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct WorkerArgs {
    /// What people know it by; may repeat [default: WORKER_ID, else worker_1]
    #[arg(long, value_name = "ID")]
    pub(crate) worker_id: Option<String>,

    /// Where the tasks are: host:port, redis://…, rediss://…; without it TASK_QUEUE, REDIS_URL, REDIS_HOST
    #[arg(short, long, value_name = "QUEUE")]
    pub(crate) queue: Option<String>,

    /// The same
    #[arg(long, value_name = "URL", conflicts_with = "queue")]
    pub(crate) redis_url: Option<String>,

    /// A named queue to work on, may be repeated [default: QUEUE_NAME, else tasks]
    #[arg(long, value_name = "NAME[=WEIGHT]")]
    pub(crate) queue_name: Vec<String>,

    /// error, warning, info, debug or trace; also from LOG_LEVEL [default: info]
    #[arg(long, value_name = "L")]
    pub(crate) log_level: Option<String>,

    /// text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: String,

    /// How often a failed task is tried again where neither it nor its enqueuer says so [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) max_retries: Option<u32>,

    /// How many tasks it runs at once [default: 64 async, one a core for blocking code and commands]
    #[arg(short, long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,

    /// Which commands it runs [default: ./tasks.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) tasks: Option<PathBuf>,

    /// Stop when the named queues are empty
    #[arg(long)]
    pub(crate) drain: bool,

    /// How long running tasks may go on after a stop was asked for
    #[arg(long, value_name = "TIME", default_value = "25s")]
    pub(crate) grace: String,

    /// How long the first connection is tried
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) connect_timeout: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent_and_the_help_begins_with_examples() {
        OrchestratorArgs::command().debug_assert();
        WorkerArgs::command().debug_assert();
        for template in [ORCHESTRATOR_HELP, OWN_HELP] {
            let help = command::<OrchestratorArgs>("myprogram", template).render_long_help().to_string();
            assert!(help.starts_with("Keeps N workers alive, or runs one batch"), "{help}");
            assert!(help.find("myprogram -n 4").unwrap() < help.find("--workers").unwrap(), "{help}");
            assert!(!help.contains("NAME -n"), "{help}");
        }
    }

    #[test]
    fn what_a_later_release_brings_is_not_accepted_before() {
        for flag in ["--max-tasks=5", "--max-memory=1G", "--min=1", "--max=4"] {
            assert!(OrchestratorArgs::try_parse_from(["task-orchestrator", flag]).is_err(), "{flag}");
        }
    }

    #[test]
    fn arguments_of_the_program_come_after_two_dashes() {
        let args = OrchestratorArgs::parse_from(["x", "-n", "2", "./w", "--", "-n", "9"]);
        assert_eq!((args.workers, args.args.len(), args.worker), (2, 2, Some("./w".into())));
    }
}
