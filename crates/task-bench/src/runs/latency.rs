use std::time::Duration;

use task_core::TaskId;

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
    let crew = Crew { processes: 1, orchestrated: false, instances: 1, concurrency: 1, tasks: 2 * run.tasks };
    let fleet = Fleet::start(stage, crew)?;
    stage.workers(1).await?;
    let (mut starts, mut results, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let before = stage.used().await?;
    for n in 0..run.tasks {
        idle(n).await;
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
        let (p50, p99) = p50_p99(&mut server.pings(1000, async |_| {}).await?);
        report.set("ping_p50_ms", p50);
        report.set("ping_p99_ms", p99);
        let (p50, p99) = p50_p99(&mut server.pings(1000, idle).await?);
        report.set("ping_after_rest_p50_ms", p50);
        report.set("ping_after_rest_p99_ms", p99);
    }
    if let Some(rss) = largest_rss(&fleet.pids()) {
        report.set("worker_rss_bytes", rss as f64);
    }
    ids.extend(alone(stage, run.tasks, report).await?);
    let runs = fleet.stop().await?;
    check(stage, &ids, &runs, report).await?;
    Ok(())
}

/// Until the worker is idle again, and not always after the same time.
async fn idle(n: u64) {
    tokio::time::sleep(Duration::from_micros(2000 + n * 7919 % 3000)).await;
}

/// The same without anybody who waits for a result: what is sent besides the enqueues is the worker's.
async fn alone(stage: &Stage, tasks: u64, report: &mut Report) -> anyhow::Result<Vec<TaskId>> {
    let (mut ids, before) = (Vec::new(), stage.used().await?);
    for n in tasks..2 * tasks {
        idle(n).await;
        let enqueue = stage.queue.enqueue(Noop::new(n)).options(|_| stage.options());
        ids.push(enqueue.await?.id().clone());
    }
    idle(0).await;
    if let (Some(before), Some(after)) = (before, stage.used().await?) {
        let of_worker = |calls: u64| (calls - tasks) as f64 / tasks as f64;
        report.set("worker_scripts_per_task", of_worker(after.scripts - before.scripts));
        // and the pop that wakes it
        report.set("worker_calls_per_task", of_worker(after.calls - before.calls));
    }
    stage.completed(2 * tasks).await?;
    Ok(ids)
}
