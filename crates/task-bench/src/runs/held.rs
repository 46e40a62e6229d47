use std::time::Duration;

use anyhow::Context as _;

use super::drain;
use crate::{
    check::check,
    cli,
    fleet::{Crew, Fleet},
    procfs::largest_rss,
    report::Report,
    stage::Stage,
    task::{Wait, now},
};

/// Quick tasks that run before: their code, buffers and threads are not to be counted.
const BEFORE: u64 = 50;

/// A worker runs very many tasks at once that wait for a moment, and its memory is looked at before and meanwhile. What is
/// told of each is all that it takes: its message, its attempt, and the sleep that it is in.
pub(crate) async fn run(stage: &Stage, run: &cli::Held, report: &mut Report) -> anyhow::Result<()> {
    let tasks = u64::from(run.tasks);
    let crew = Crew {
        processes: 1,
        orchestrated: false,
        instances: 1,
        concurrency: run.tasks,
        tasks: BEFORE + tasks,
    };
    let fleet = Fleet::start(stage, crew)?;
    stage.workers(1).await?;
    let mut ids = drain::fill(stage, BEFORE).await?;
    stage.completed(BEFORE).await?;
    let rss =
        || largest_rss(&fleet.pids()).context("memory is told of worker processes; use --private-redis none");
    let idle = rss()?;

    let until = now() + Duration::from_secs(run.seconds).as_nanos() as u64;
    let messages = (BEFORE..BEFORE + tasks).map(|n| Wait::message(n, until, stage.options()));
    ids.extend(stage.enqueue(messages.collect::<anyhow::Result<_>>()?).await?);
    while stage.stats().await?.running < tasks {
        anyhow::ensure!(
            now() < until,
            "within {} s not all tasks were claimed; give more --seconds",
            run.seconds
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let holding = rss()?;
    anyhow::ensure!(now() < until, "the tasks ended before they were looked at; give more --seconds");
    report.set("worker_rss_bytes", idle as f64);
    report.set("worker_rss_bytes_per_held", (holding as f64 - idle as f64) / tasks as f64);

    stage.completed(BEFORE + tasks).await?;
    let runs = fleet.stop().await?;
    check(stage, &ids, &runs, report).await?;
    Ok(())
}
