use std::time::{Duration, Instant};

use super::drain;
use crate::{
    check::check,
    cli,
    fleet::{Crew, Fleet},
    procfs::largest_rss,
    report::Report,
    stage::Stage,
};

/// Workers that have nothing to do, after they have done something.
pub(crate) async fn run(stage: &Stage, run: &cli::Idle, report: &mut Report) -> anyhow::Result<()> {
    let crew =
        Crew { processes: 1, orchestrated: false, instances: run.workers, concurrency: 64, tasks: run.tasks };
    let fleet = Fleet::start(stage, crew)?;
    stage.workers(run.workers as usize).await?;
    let ids = drain::fill(stage, run.tasks).await?;
    stage.completed(run.tasks).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let (before, cpu, start) = (stage.used().await?, fleet.cpu_us(), Instant::now());
    tokio::time::sleep(Duration::from_secs(run.seconds)).await;
    let (after, took) = (stage.used().await?, start.elapsed().as_secs_f64());
    report.set("workers", f64::from(run.workers));
    if let (Some(before), Some(after)) = (before, after) {
        report.set(
            "commands_per_s_per_worker",
            (after.commands - before.commands) as f64 / took / f64::from(run.workers),
        );
        report.set("redis_cpu_percent", (after.cpu_us - before.cpu_us) / took / 1e4);
        report.set("worker_cpu_percent", (fleet.cpu_us() - cpu) as f64 / took / 1e4);
    }
    if let Some(rss) = largest_rss(&fleet.pids()) {
        report.set("worker_rss_bytes", rss as f64);
    }
    let runs = fleet.stop().await?;
    check(stage, &ids, &runs, report).await?;
    Ok(())
}
