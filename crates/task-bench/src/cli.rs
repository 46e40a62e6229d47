use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures the task framework, and checks that each task ran exactly once.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        task-bench drain --private-redis none --tasks 100000\n  \
        task-bench limit --private-redis none --tasks 100000 --json\n  \
        task-bench latency --queue localhost:6379\n\n\
        Exit: 0 every task ran exactly once with the right result, 1 one did not, 2 the run could not be made.\n\
        Each run uses a named queue of its own, whose results end by themselves after an hour."
)]
pub(crate) struct Cli {
    /// The queue to measure: `memory:`, or the URL of a Redis, as task-orchestrator takes it.
    #[arg(long, short, global = true, default_value = "memory:", value_name = "URL")]
    pub(crate) queue: String,

    /// Measures a redis-server that is started for this run and ended after it, instead of --queue; with this
    /// persistence.
    #[arg(long, global = true, value_name = "AOF", conflicts_with = "queue")]
    pub(crate) private_redis: Option<Aof>,

    /// Everything takes so many milliseconds longer in each direction on its way to the private Redis and back; 0.5 is one
    /// more a round trip.
    #[arg(long, global = true, value_name = "MS", default_value_t = 0.0, value_parser = milliseconds, requires = "private_redis")]
    pub(crate) delay_ms: f64,

    /// The private Redis is spoken to by TLS; openssl makes its certificate.
    #[arg(long, global = true, requires = "private_redis")]
    pub(crate) tls: bool,

    /// Prints one JSON object instead of a table; `goals` always prints a table, and has --reports.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) run: Run,
}

/// How a private redis-server persists.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Aof {
    /// Not at all.
    None,
    /// Its append-only file is synced each second.
    Everysec,
    /// Its append-only file is synced before each answer.
    Always,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Run {
    /// How fast one worker process drains a queue that was filled before.
    Drain(Drain),
    /// How fast tasks come in: one at a time, from many callers at once, and many in a call.
    Enqueue(Enqueue),
    /// In an idle system: from an enqueue's call to the task's first line, and from its end to its result.
    Latency(Latency),
    /// Tasks that two producers enqueue at a given rate, whether or not the workers of an orchestrator follow.
    OpenLoop(OpenLoop),
    /// How late delayed tasks start.
    Delayed(Delayed),
    /// Whether memory stays flat while tasks come, go and are forgotten.
    Soak(Soak),
    /// What workers without work cost.
    Idle(Idle),
    /// The limit: the least that the life of a task can do on Redis, in plain pipelined commands, without any promise.
    Limit(Limit),
    /// How long one call keeps a Redis from its other clients at most, where very much is due at once.
    Bound(Bound),
    /// What the tasks that a worker has claimed take of its memory.
    Held(Held),
    /// All of these in turn on private Redis servers, and a table in Markdown: what was to be reached, and what is.
    Goals(Goals),
    #[command(hide = true)]
    Worker(Worker),
}

impl Run {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Drain(_) => "drain",
            Self::Enqueue(_) => "enqueue",
            Self::Latency(_) => "latency",
            Self::OpenLoop(_) => "open-loop",
            Self::Delayed(_) => "delayed",
            Self::Soak(_) => "soak",
            Self::Idle(_) => "idle",
            Self::Limit(_) => "limit",
            Self::Bound(_) => "bound",
            Self::Held(_) => "held",
            Self::Goals(_) => "goals",
            Self::Worker(_) => "worker",
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Drain {
    /// How many tasks.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tasks: u64,
    /// How many the worker runs at once.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrency: u32,
    /// Worker processes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) workers: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Enqueue {
    /// How many tasks by each way; one at a time a twentieth of them.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(20..))]
    pub(crate) tasks: u64,
    /// Callers at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) callers: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Latency {
    /// How many tasks, one after the other.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tasks: u64,
}

#[derive(Args, Debug)]
pub(crate) struct OpenLoop {
    /// How many tasks.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tasks: u64,
    /// Tasks a second; default: what --percent says of the rate at which these workers drain, which is measured first.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
    /// Of the drain rate.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) percent: u64,
    /// Worker processes.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) workers: u32,
    /// How many each runs at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrency: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Delayed {
    /// How many tasks are measured.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tasks: u64,
    /// How many more wait meanwhile for a time that does not come.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) waiting: u64,
    /// Over how many seconds their times are spread.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Soak {
    /// For how long memory is looked at, in seconds.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(8..))]
    pub(crate) seconds: u64,
    /// How long it runs before, in seconds: an id is remembered for ten minutes, so that long Redis' memory grows.
    #[arg(long, default_value_t = 660)]
    pub(crate) settle: u64,
    /// Tasks a second.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: u64,
    /// At most so many tasks; the run ends when they are done.
    #[arg(long)]
    pub(crate) tasks: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct Idle {
    /// How long, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Workers, all in one process.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) workers: u32,
    /// Tasks that run before, to see that they do; nothing is measured of them.
    #[arg(long, default_value_t = 10)]
    pub(crate) tasks: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Limit {
    /// How many tasks.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tasks: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Bound {
    /// How many tasks are due at once, and then how many results end at once.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tasks: u64,
    /// How many tasks the worker holds that dies.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) held: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Held {
    /// How many tasks the worker holds, all of which run.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tasks: u32,
    /// How long they run, in seconds, from when the first is enqueued.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Goals {
    /// How often each is measured; told in the end are medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How many tasks a run has, where the goal does not say it.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub(crate) tasks: u64,
    /// Leaves out what takes minutes: a million tasks, a thousand workers, the soak.
    #[arg(long)]
    pub(crate) short: bool,
    /// Measures what this goal needs and nothing else; may be given more than once.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=10))]
    pub(crate) goal: Vec<u8>,
    /// Writes the report of each run there when it ends, an object of JSON a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) reports: Option<PathBuf>,
}

/// A worker process of a run.
#[derive(Args, Debug)]
pub(crate) struct Worker {
    #[arg(long)]
    pub(crate) name: String,
    #[arg(long)]
    pub(crate) tasks: u64,
    #[arg(long)]
    pub(crate) concurrency: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) instances: u32,
    /// The folder to write to at the end how often each task ran.
    #[arg(long)]
    pub(crate) runs: PathBuf,
}

fn milliseconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|ms| (0.0..=60_000.0).contains(ms));
    number.ok_or_else(|| "it is a number from 0 to 60000".to_owned())
}
