//! How the processes of a fleet are started.

use std::{path::PathBuf, process::Command};

use task_tests::{Folder, Running};

use crate::wall_clock::WallClock;

/// What the tasks note their runs in.
const LEDGER: &str = "ledger";

/// The named queue of tasks that are commands.
pub(crate) const COMMANDS: &str = "commands";
/// A named queue that shares the workers of `tasks`, and has a quarter of their slots.
pub(crate) const MAIL: &str = "mail";

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Orchestrator and worker in one, with tasks in Rust.
    Rust,
    /// `task-orchestrator` and `task-worker`, with a tasks file.
    Commands,
}

impl Part {
    pub(crate) const ALL: [Self; 2] = [Self::Rust, Self::Commands];
}

pub(crate) struct Crew {
    folder: Folder,
    url: String,
    concurrency: u32,
    pub(crate) clock: Option<WallClock>,
}

impl Crew {
    pub(crate) fn new(url: &str, concurrency: u32, own_clock: bool) -> Self {
        let folder = Folder::new(env!("CARGO_BIN_EXE_chaos-tasks"));
        let tasks = format!(
            "[tasks.command]\ncommand = [{:?}, \"{{what}}\", \"{{number}}\"]\nfatal_codes = [65]\nskip_codes = [80]\n",
            env!("CARGO_BIN_EXE_chaos-command")
        );
        let folder = folder.file(LEDGER, "").file("tasks.toml", &tasks);
        let clock = own_clock.then(|| WallClock::right(&folder.path("")));
        Self { folder, url: url.to_owned(), concurrency, clock }
    }

    /// In which they work.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path("")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path(LEDGER)
    }

    /// An orchestrator with its workers.
    pub(crate) fn service(&self, part: Part) -> Running {
        let Self { folder, url, concurrency, .. } = self;
        let all = format!("--no-monitoring -q {url} --grace 2s");
        self.start(match part {
            Part::Rust => folder
                .command(&format!("-n 2 -c {concurrency} --queue-name tasks=3 --queue-name {MAIL}=1 {all}")),
            Part::Commands => folder.command_of(
                env!("CARGO_BIN_EXE_chaos-orchestrator"),
                &format!("-n 1 -c 2 --queue-name {COMMANDS} {all} tasks.toml"),
            ),
        })
    }

    /// A worker without orchestrator.
    pub(crate) fn lone(&self, part: Part) -> Running {
        let Self { folder, url, concurrency, .. } = self;
        self.start(match part {
            Part::Rust => {
                let mut command = folder.command("");
                command.env("TASK_ROLE", "worker").env("TASK_QUEUE", url).env("WORKER_ID", "lone");
                command.env("QUEUE_NAME", format!("tasks=3,{MAIL}=1")).env("TASK_GRACE", "2s");
                command.env("TASK_CONCURRENCY", concurrency.to_string());
                command
            }
            Part::Commands => folder.command_of(
                env!("CARGO_BIN_EXE_chaos-worker"),
                &format!("--worker-id lone -q {url} --queue-name {COMMANDS} -c 2 --grace 2s"),
            ),
        })
    }

    fn start(&self, mut command: Command) -> Running {
        if let Some(clock) = &self.clock {
            clock.give_to(&mut command);
        }
        self.folder.spawn(command)
    }
}
