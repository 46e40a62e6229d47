use std::path::PathBuf;

use clap::{Parser, ValueHint};

use super::{BATCH, Common, RUNS};

/// Of `task-worker`.
pub(crate) const HELP: &str = "\
{about}

Examples:
  NAME --worker-id worker_1 --redis-url redis://localhost:6379 --queue-name tasks --log-level INFO
  NAME -q localhost:6379 --queue-name mail=3 --queue-name reports --tasks jobs/tasks.toml
  NAME -q localhost:6379 --drain         until the queue is empty

{usage-heading} {usage}

{all-args}

Environment: what stands beside the flags; REDIS_PASSWORD, or the file that REDIS_PASSWORD_FILE names, is the password of
a queue that has none in it.
Exit codes: 0 stopped cleanly, or drained; 1 a task FAILED or was CANCELLED (--drain); 2 a wrong flag or file;
3 the queue can't be reached or refuses us; 130 and 143 a drain cut short by INT or TERM.
TERM or INT: what runs may go on for --grace, the rest is given back; a second one: now. TSTP: claim nothing more;
CONT: go on.
";

/// Runs the tasks of a tasks file: one worker, in this process.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct WorkerArgs {
    /// What people know it by; may repeat [default: worker_1] [env: WORKER_ID]
    #[arg(long, value_name = "ID", help_heading = RUNS)]
    pub(crate) worker_id: Option<String>,

    /// Where the tasks are: host:port, redis://…, rediss://…, redis+unix://…, redis+sentinel://…
    /// [env: TASK_QUEUE, REDIS_URL, REDIS_HOST with REDIS_PORT]
    #[arg(short, long, value_name = "QUEUE", help_heading = RUNS)]
    pub(crate) queue: Option<String>,

    /// The same
    #[arg(long, value_name = "URL", conflicts_with = "queue", help_heading = RUNS)]
    pub(crate) redis_url: Option<String>,

    /// Which commands it runs [default: ./tasks.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = RUNS)]
    pub(crate) tasks: Option<PathBuf>,

    /// Stop when the named queues are empty
    #[arg(long, help_heading = BATCH)]
    pub(crate) drain: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

impl AsRef<Common> for WorkerArgs {
    fn as_ref(&self) -> &Common {
        &self.common
    }
}
