use std::{sync::Arc, time::Instant};

use task_core::TaskId;

use crate::{
    check::check,
    cli,
    fleet::{Crew, Fleet},
    percentiles::p50_p99,
    report::Report,
    stage::Stage,
    task::Noop,
};

/// Tasks come in by each way in turn; a worker runs them all afterwards, so that none is missing.
pub(crate) async fn run(stage: &Stage, run: &cli::Enqueue, report: &mut Report) -> anyhow::Result<()> {
    let one_by_one = run.tasks / 20;
    let mut ids = Vec::new();

    if let Some(server) = &stage.server {
        let (p50, _) = p50_p99(&mut server.pings(1000, async |_| {}).await?);
        report.set("ping_p50_ms", p50);
    }
    let mut times = Vec::new();
    let start = Instant::now();
    for n in 0..one_by_one {
        let start = Instant::now();
        ids.push(one(stage, n).await?);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.set("one_at_a_time_per_s", one_by_one as f64 / start.elapsed().as_secs_f64());
    let (p50, p99) = p50_p99(&mut times);
    report.set("p50_ms", p50);
    report.set("p99_ms", p99);

    let (callers, each) = (run.callers, (run.tasks / run.callers).max(1));
    let start = Instant::now();
    let mut calling = tokio::task::JoinSet::new();
    let shared = Arc::new((stage.queue.clone(), stage.options()));
    for caller in 0..callers {
        let shared = shared.clone();
        calling.spawn(async move {
            let mut ids = Vec::new();
            for n in 0..each {
                let number = one_by_one + caller * each + n;
                let enqueue = shared.0.enqueue(Noop::new(number)).options(|_| shared.1.clone());
                ids.push((number, enqueue.await?.id().clone()));
            }
            anyhow::Ok(ids)
        });
    }
    let mut by_callers: Vec<(u64, TaskId)> = Vec::new();
    while let Some(called) = calling.join_next().await {
        by_callers.extend(called??);
    }
    report.set("callers_per_s", by_callers.len() as f64 / start.elapsed().as_secs_f64());
    by_callers.sort_by_key(|(number, _)| *number);
    ids.extend(by_callers.into_iter().map(|(_, id)| id));

    let from = ids.len() as u64;
    let messages = stage.messages(from..from + run.tasks)?;
    let before = stage.used().await?;
    let start = Instant::now();
    let many = stage.enqueue(messages).await?;
    report.set("tasks_per_s", many.len() as f64 / start.elapsed().as_secs_f64());
    if let (Some(before), Some(after)) = (before, stage.used().await?) {
        report.set("redis_cpu_us_per_task", (after.cpu_us - before.cpu_us) / run.tasks as f64);
        report.set("round_trips_per_task", (after.calls - before.calls) as f64 / run.tasks as f64);
        report.set("bytes_per_pending", (after.memory as f64 - before.memory as f64) / run.tasks as f64);
    }
    ids.extend(many);

    let tasks = ids.len() as u64;
    let fleet = Fleet::start(
        stage,
        Crew { processes: 1, orchestrated: false, instances: 1, concurrency: 100, tasks },
    )?;
    stage.completed(tasks).await?;
    let runs = fleet.stop().await?;
    check(stage, &ids, &runs, report).await?;
    Ok(())
}

async fn one(stage: &Stage, n: u64) -> anyhow::Result<TaskId> {
    let enqueue = stage.queue.enqueue(Noop::new(n)).options(|_| stage.options());
    Ok(enqueue.await?.id().clone())
}
