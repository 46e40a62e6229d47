use std::time::Duration;

use task_core::{ResultMessage, TaskId};

use crate::{
    check::check,
    cli,
    fleet::{Crew, Fleet},
    procfs::largest_rss,
    report::Report,
    stage::Stage,
};

/// A queue is filled, then workers start and empty it.
pub(crate) async fn run(stage: &Stage, run: &cli::Drain, report: &mut Report) -> anyhow::Result<()> {
    let crew = Crew {
        processes: run.workers,
        orchestrated: false,
        instances: 1,
        concurrency: run.concurrency,
        tasks: run.tasks,
    };
    let before = stage.used().await?;
    let ids = fill(stage, run.tasks).await?;
    let filled = stage.used().await?;

    let fleet = Fleet::start(stage, crew)?;
    stage.workers(run.workers as usize).await.ok(); // they may be done before they are seen
    stage.completed(run.tasks).await?;
    let (drained, rss, cpu) = (stage.used().await?, largest_rss(&fleet.pids()), fleet.cpu_us());
    let runs = fleet.stop().await?;

    let tasks = run.tasks as f64;
    if let (Some(before), Some(filled), Some(drained)) = (before, filled, drained) {
        report.set("redis_cpu_us_per_task", (drained.cpu_us - before.cpu_us) / tasks);
        report.set("redis_cpu_us_per_task_drain", (drained.cpu_us - filled.cpu_us) / tasks);
        report.set("round_trips_per_task", (drained.calls - filled.calls) as f64 / tasks);
        report.set("bytes_per_pending", (filled.memory as f64 - before.memory as f64) / tasks);
        report.set("bytes_per_finished", (drained.memory as f64 - before.memory as f64) / tasks);
        report.set("worker_cpu_us_per_task", cpu as f64 / tasks);
    }
    if let Some(rss) = rss {
        report.set("worker_rss_bytes", rss as f64);
    }
    let seen = check(stage, &ids, &runs, report).await?;
    report.set("tasks_per_s", rate(seen.iter().map(|(record, _)| record)));
    if run.tasks >= 100 {
        report.set("last_percent", last_percent(seen.iter().map(|(record, _)| record)));
    }
    Ok(())
}

/// Enqueues tasks with the numbers from 0 on.
pub(crate) async fn fill(stage: &Stage, tasks: u64) -> anyhow::Result<Vec<TaskId>> {
    const AT_ONCE: u64 = 20_000;
    let mut ids = Vec::new();
    let mut from = 0;
    while from < tasks {
        let to = (from + AT_ONCE).min(tasks);
        ids.extend(stage.enqueue(stage.messages(from..to)?).await?);
        from = to;
    }
    Ok(ids)
}

/// Tasks a second, from the first start to the last end, by the queue's own clock (milliseconds).
pub(crate) fn rate<'a>(records: impl Iterator<Item = &'a ResultMessage> + Clone) -> f64 {
    let first = records.clone().filter_map(|record| record.started_at).min();
    let last = records.clone().filter_map(|record| record.finished_at).max();
    let took = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.since(first));
    records.count() as f64 / took.max(Duration::from_millis(1)).as_secs_f64()
}

/// How long the last hundredth of tasks took to end, by a hundredth of the time of all: 1 where all end at one rate.
fn last_percent<'a>(records: impl Iterator<Item = &'a ResultMessage> + Clone) -> f64 {
    let first = records.clone().filter_map(|record| record.started_at).min();
    let mut ends: Vec<_> = records.filter_map(|record| record.finished_at).collect();
    ends.sort_unstable();
    let before = ends.len() - ends.len() / 100;
    let (Some(first), Some(last), Some(before)) = (first, ends.last(), ends.get(before - 1)) else {
        return 0.0;
    };
    let all = last.since(first).max(Duration::from_millis(1));
    last.since(*before).as_secs_f64() / (all.as_secs_f64() / 100.0)
}
