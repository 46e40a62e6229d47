use std::{path::PathBuf, process::Stdio};

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
    processes: Vec<(Child, PathBuf)>,
    /// Where they write what they ran.
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
        for process in 0..crew.processes {
            let runs = fleet.folder.path().join(process.to_string());
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["worker", "--queue", &stage.url, "--name", stage.name.as_str()]);
            command.args([
                "--tasks",
                &crew.tasks.to_string(),
                "--concurrency",
                &crew.concurrency.to_string(),
            ]);
            command.args(["--instances", &crew.instances.to_string(), "--runs"]).arg(&runs);
            let child =
                command.stdin(Stdio::null()).kill_on_drop(true).spawn().context("a worker process")?;
            fleet.processes.push((child, runs));
        }
        Ok(fleet)
    }

    /// Its processes; none if it is inside of this one.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().filter_map(|(child, _)| child.id()).collect()
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
        let mut counts: Vec<u8> = Vec::new();
        for (child, runs) in &mut self.processes {
            let status = child.wait().await?;
            anyhow::ensure!(status.success(), "a worker process ended with {status}");
            let of_this = std::fs::read(&*runs).context("what a worker process ran")?;
            counts.resize(counts.len().max(of_this.len()), 0);
            counts.iter_mut().zip(of_this).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        }
        Ok(counts)
    }
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
    std::fs::write(&crew.runs, book.counts())?;
    Ok(())
}
