use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use task_core::{
    Backends, Enqueued, Name, Queue as _, QueueStats, TaskId, TaskMessage, TaskOptions, TaskQueue,
};
use task_queue_memory::MemoryQueue;
use task_queue_redis::RedisQueue;

use crate::{
    cli::Cli,
    delay,
    private::Private,
    server::{Server, Used},
    task::Noop,
};

/// What is measured: a named queue of this run's own on the queue that was asked for.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) queue: TaskQueue,
    pub(crate) url: String,
    /// Where the server is asked what it has used: without a delay, and without TLS.
    plain: String,
    pub(crate) name: Name,
    pub(crate) server: Option<Server>,
    pub(crate) persistence: String,
    /// Nothing of this run outlives it by itself.
    private: bool,
}

impl Stage {
    pub(crate) async fn open(cli: &Cli) -> anyhow::Result<Self> {
        // clap lets --queue stand for what these require, since the two exclude each other
        anyhow::ensure!(
            cli.private_redis.is_some() || (cli.delay_ms == 0.0 && !cli.tls),
            "--delay-ms and --tls are of a private Redis; add --private-redis none, or leave them out to measure {}",
            cli.queue
        );
        let private = cli.private_redis.map(|aof| Private::start(aof, cli.tls)).transpose()?;
        let (plain, url) = match &private {
            None => (cli.queue.clone(), cli.queue.clone()),
            Some(server) if cli.delay_ms > 0.0 => {
                let delay = Duration::from_secs_f64(cli.delay_ms / 1e3);
                (server.plain(), server.url(&delay::before(server.address(), delay)?))
            }
            Some(server) => (server.plain(), server.url(&server.address())),
        };
        let queue = connect(&url).await?;
        let name: Name = format!("bench-{}", uuid::Uuid::new_v4().simple()).parse()?;
        let inside = backends().in_process(&url);
        let goes_away = inside || private.is_some();
        let server = if inside { None } else { Some(Server::connect(&plain, private).await?) };
        let persistence = queue.info().await?.durability.to_string();
        Ok(Self { queue, url, plain, name, server, persistence, private: goes_away })
    }

    /// The same queue, with another named queue on it.
    pub(crate) async fn beside(&self) -> anyhow::Result<Self> {
        let server = match &self.server {
            Some(_) => Some(Server::connect(&self.plain, None).await?),
            None => None,
        };
        let name = format!("{}-2", self.name).parse()?;
        let (url, plain) = (self.url.clone(), self.plain.clone());
        let (queue, persistence) = (self.queue.clone(), self.persistence.clone());
        Ok(Self { queue, url, plain, name, server, persistence, private: self.private })
    }

    /// How all runs enqueue: as a plain task, and on a queue of others so that nothing stays for long.
    pub(crate) fn options(&self) -> TaskOptions {
        let options = TaskOptions::default().queue(self.name.to_string());
        if self.private { options } else { options.retention(Duration::from_secs(3600)) }
    }

    pub(crate) async fn used(&self) -> anyhow::Result<Option<Used>> {
        match &self.server {
            Some(server) => server.used().await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn stats(&self) -> anyhow::Result<QueueStats> {
        Ok(self.queue.stats(&self.name).await?)
    }

    /// Messages with these numbers, as all runs enqueue them.
    pub(crate) fn messages(&self, numbers: std::ops::Range<u64>) -> anyhow::Result<Vec<TaskMessage>> {
        numbers.map(|n| Noop::message(n, self.options())).collect()
    }

    /// Enqueues messages in large calls; their ids, in their order.
    pub(crate) async fn enqueue(&self, messages: Vec<TaskMessage>) -> anyhow::Result<Vec<TaskId>> {
        let ids: Vec<TaskId> = messages.iter().map(|message| message.id.clone()).collect();
        for answer in self.queue.enqueue_messages(messages).await? {
            // a call that was sent again finds its own
            let taken = matches!(answer?, Enqueued::Queued | Enqueued::Exists { same: true, .. });
            anyhow::ensure!(taken, "a task with a new id was not taken in");
        }
        Ok(ids)
    }

    /// Waits until so many tasks COMPLETED.
    pub(crate) async fn completed(&self, tasks: u64) -> anyhow::Result<()> {
        let mut last = (0, tokio::time::Instant::now());
        loop {
            let stats = self.stats().await?;
            let done = stats.totals.completed + stats.totals.failed;
            if done >= tasks {
                return Ok(());
            }
            if done > last.0 {
                last = (done, tokio::time::Instant::now());
            }
            let stuck = last.1.elapsed() > Duration::from_secs(60);
            anyhow::ensure!(!stuck, "{done} of {tasks} tasks are done, and for a minute no other: {stats:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many workers are there.
    pub(crate) async fn workers(&self, number: usize) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + Duration::from_secs(60);
        while self.stats().await?.workers.len() < number {
            anyhow::ensure!(tokio::time::Instant::now() < end, "not all workers came within a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The records of tasks, in their order.
    pub(crate) async fn records(&self, ids: &[TaskId]) -> anyhow::Result<Vec<task_core::ResultMessage>> {
        let records = stream::iter(ids)
            .map(|id| async move {
                let found = self.queue.result(&self.name, id).await?.into_found();
                found.with_context(|| format!("task {id} is gone"))
            })
            .buffered(256);
        let records: Vec<_> = records.collect().await;
        records.into_iter().collect()
    }
}

fn backends() -> Backends {
    Backends::new().with::<MemoryQueue>().with::<RedisQueue>()
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<TaskQueue> {
    Ok(backends().connect(url).await?)
}
