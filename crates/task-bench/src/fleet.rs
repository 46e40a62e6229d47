use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use task_worker::TaskWorker;
use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
};

use crate::{
    cli, procfs,
    stage::{Stage, connect},
    task::Book,
};

/// The workers of a run: in processes of their own, or inside this one where the queue is.
pub(crate) struct Fleet {
    inside: Option<Inside>,
    processes: Vec<Child>,
    /// Where each worker process writes at its end what it ran.
    folder: tempfile::TempDir,
}

struct Inside {
    book: Book,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
}

/// How a fleet is made up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crew {
    pub(crate) processes: u32,
    /// Whether an orchestrator keeps them; inside of this process none does.
    pub(crate) orchestrated: bool,
    pub(crate) instances: u32,
    pub(crate) concurrency: u32,
    /// The numbers of the tasks that they may meet are below this.
    pub(crate) tasks: u64,
}

impl Fleet {
    pub(crate) fn start(stage: &Stage, crew: Crew) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut fleet = Self { inside: None, processes: Vec::new(), folder };
        if stage.server.is_none() {
            fleet.inside = Some(Inside::start(stage, crew));
            return Ok(fleet);
        }
        let folder = fleet.folder.path();
        let commands = if crew.orchestrated {
            vec![orchestrator(stage, crew, folder)?]
        } else {
            (0..crew.processes).map(|_| worker(stage, crew, folder)).collect::<anyhow::Result<_>>()?
        };
        for mut command in commands {
            let child = command.stdin(Stdio::null()).kill_on_drop(true).spawn();
            fleet.processes.push(child.context("a process of the run")?);
        }
        Ok(fleet)
    }

    /// Its processes; none if it is inside of this one.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().filter_map(Child::id).collect()
    }

    /// The processor time of its processes so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> u64 {
        self.pids().into_iter().filter_map(procfs::cpu_us).sum()
    }

    /// Ends it in order; how often each task ran, by its number.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Vec<u8>> {
        if let Some(inside) = self.inside.take() {
            return Ok(inside.stop().await);
        }
        for pid in self.pids() {
            kill(Pid::from_raw(pid.try_into()?), Signal::SIGTERM)?;
        }
        for child in &mut self.processes {
            let status = child.wait().await?;
            anyhow::ensure!(status.success(), "a process of the run ended with {status}");
        }
        let mut counts: Vec<u8> = Vec::new();
        for runs in fs::read_dir(self.folder.path())? {
            let of_this = fs::read(runs?.path()).context("what a worker process ran")?;
            counts.resize(counts.len().max(of_this.len()), 0);
            counts.iter_mut().zip(of_this).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        }
        Ok(counts)
    }
}

/// A worker process without an orchestrator.
fn worker(stage: &Stage, crew: Crew, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["worker", "--queue", &stage.url, "--name", stage.name.as_str()]);
    let numbers = [("--tasks", crew.tasks), ("--concurrency", crew.concurrency.into())];
    for (option, number) in numbers.into_iter().chain([("--instances", crew.instances.into())]) {
        command.args([option, &number.to_string()]);
    }
    command.arg("--runs").arg(folder);
    Ok(command)
}

/// The orchestrator of a crew, which starts this program as its workers.
fn orchestrator(stage: &Stage, crew: Crew, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["-q", &stage.url, "--queue-name", stage.name.as_str()]);
    command.args(["-n", &crew.processes.to_string(), "-c", &crew.concurrency.to_string()]);
    command.args(["--no-monitoring", "--log-level", "error"]);
    command.env(RUNS, folder).env(TASKS, crew.tasks.to_string());
    Ok(command)
}

/// Told to an orchestrator and by it to its workers: where to write what ran, and how many tasks there are.
const RUNS: &str = "TASK_BENCH_RUNS";
const TASKS: &str = "TASK_BENCH_TASKS";

/// What this process does if it is an orchestrator or one of its workers; `None` if it is neither.
pub(crate) fn be_orchestrated() -> Option<ExitCode> {
    let folder = PathBuf::from(env::var_os(RUNS)?);
    let book = Book::new(env::var(TASKS).ok()?.parse().ok()?);
    let registry = book.registry();
    let code = task_orchestrator::run(async move || registry);
    if env::var_os("TASK_ROLE").is_none() {
        return Some(code);
    }
    Some(match book.write(&folder) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("task-bench: what this worker ran is not written to {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    })
}

impl Inside {
    fn start(stage: &Stage, crew: Crew) -> Self {
        let (book, stop) = (Book::new(crew.tasks), watch::Sender::new(false));
        let mut workers = JoinSet::new();
        for _ in 0..crew.processes * crew.instances {
            let mut told = stop.subscribe();
            let worker = TaskWorker::new(stage.queue.clone(), book.registry())
                .concurrency(crew.concurrency)
                .queues([(stage.name.clone(), 1)]);
            workers.spawn(async move {
                let stop = async move { drop(told.wait_for(|stop| *stop).await) };
                worker.run_until(stop).await.expect("a worker starts");
            });
        }
        Self { book, stop, workers }
    }

    async fn stop(mut self) -> Vec<u8> {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.book.counts()
    }
}

/// What a worker process of a fleet does, until TERM.
pub(crate) async fn be_a_worker(url: &str, crew: &cli::Worker) -> anyhow::Result<()> {
    let book = Book::new(crew.tasks);
    let stop = watch::Sender::new(false);
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut workers = JoinSet::new();
    for _ in 0..crew.instances {
        let queue = connect(url).await?;
        let worker = TaskWorker::new(queue, book.registry())
            .concurrency(crew.concurrency)
            .queues([(crew.name.parse()?, 1)]);
        let mut told = stop.subscribe();
        workers.spawn(worker.run_until(async move { drop(told.wait_for(|stop| *stop).await) }));
    }
    term.recv().await;
    stop.send_replace(true);
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    Ok(book.write(&crew.runs)?)
}
