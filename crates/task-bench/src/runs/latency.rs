use std::time::Duration;

use crate::{
    check::check,
    cli,
    fleet::{Crew, Fleet},
    percentiles::p50_p99,
    procfs::largest_rss,
    report::Report,
    stage::Stage,
    task::{Noop, now},
};

/// One task at a time on an idle system.
pub(crate) async fn run(stage: &Stage, run: &cli::Latency, report: &mut Report) -> anyhow::Result<()> {
    let crew = Crew { processes: 1, instances: 1, concurrency: 1, tasks: run.tasks };
    let fleet = Fleet::start(stage, crew)?;
    stage.workers(1).await?;
    let (mut starts, mut results, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let before = stage.used().await?;
    for n in 0..run.tasks {
        // the worker is to be idle again, and not always after the same time
        tokio::time::sleep(Duration::from_micros(2000 + n * 7919 % 3000)).await;
        let called = now();
        let enqueue = stage.queue.enqueue(Noop::new(n)).options(|_| stage.options());
        let handle = enqueue.await?;
        let seen = handle.result(Duration::from_secs(30)).await?;
        let answered = now();
        starts.push(seen.at.saturating_sub(called) as f64 / 1e6);
        results.push(answered.saturating_sub(seen.at) as f64 / 1e6);
        ids.push(handle.id().clone());
    }
    if let (Some(before), Some(after)) = (before, stage.used().await?) {
        // an enqueue and a wait for the result are the producer's
        report.set("calls_per_task", (after.calls - before.calls) as f64 / run.tasks as f64);
        report.set("redis_cpu_us_per_task", (after.cpu_us - before.cpu_us) / run.tasks as f64);
    }
    let (p50, p99) = p50_p99(&mut starts);
    report.set("p50_ms", p50);
    report.set("p99_ms", p99);
    let (p50, p99) = p50_p99(&mut results);
    report.set("result_p50_ms", p50);
    report.set("result_p99_ms", p99);
    if let Some(server) = &stage.server {
        let (p50, p99) = p50_p99(&mut server.pings(1000).await?);
        report.set("ping_p50_ms", p50);
        report.set("ping_p99_ms", p99);
    }
    if let Some(rss) = largest_rss(&fleet.pids()) {
        report.set("worker_rss_bytes", rss as f64);
    }
    let runs = fleet.stop().await?;
    check(stage, &ids, &runs, report).await?;
    Ok(())
}
