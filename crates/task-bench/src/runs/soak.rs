use std::time::{Duration, Instant};

use crate::{
    cli,
    fleet::{Crew, Fleet},
    percentiles::p50_p99,
    procfs::largest_rss,
    report::Report,
    stage::Stage,
    task::Noop,
};

/// How long a result is kept here: so that forgetting keeps up with the run.
const RETENTION: Duration = Duration::from_secs(1);

/// Tasks come, go and are forgotten; memory is looked at each second, once all has grown that grows once.
pub(crate) async fn run(stage: &Stage, run: &cli::Soak, report: &mut Report) -> anyhow::Result<()> {
    let (settle, seconds) = (Duration::from_secs(run.settle), run.settle + run.seconds);
    let most = run.tasks.unwrap_or(seconds * run.rate);
    let fleet = Fleet::start(
        stage,
        Crew { processes: 1, orchestrated: false, instances: 1, concurrency: 64, tasks: most },
    )?;
    stage.workers(1).await?;
    let options = stage.options().retention(RETENTION);
    let (mut enqueued, mut server, mut worker) = (0, Vec::new(), Vec::new());
    let start = Instant::now();
    while enqueued < most && start.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let due = ((start.elapsed().as_secs_f64() * run.rate as f64) as u64).min(most);
        let messages = (enqueued..due).map(|n| Noop::message(n, options.clone()));
        stage.enqueue(messages.collect::<anyhow::Result<_>>()?).await?;
        enqueued = due;
        if start.elapsed().saturating_sub(settle).as_secs() as usize > worker.len() {
            server.extend(stage.used().await?.map(|used| used.memory as f64));
            worker.extend(
                largest_rss(&fleet.pids())
                    .or_else(|| largest_rss(&[std::process::id()]))
                    .map(|rss| rss as f64),
            );
        }
    }
    stage.completed(enqueued).await?;
    let stats = stage.stats().await?;
    let runs = fleet.stop().await?;
    // results are forgotten by now, so what is checked are the queue's books and how often each ran
    report.tasks = Some(enqueued);
    let ran = &runs[..usize::try_from(enqueued)?.min(runs.len())];
    report.lost = Some(ran.iter().filter(|count| **count == 0).count() as u64 + stats.live());
    report.duplicated = Some(ran.iter().map(|count| u64::from(count.saturating_sub(1))).sum());
    report.wrong = Some(stats.totals.completed.abs_diff(enqueued));
    report.set("tasks_per_s", enqueued as f64 / start.elapsed().as_secs_f64());
    for (name, samples) in [("redis_memory_bytes", server), ("worker_rss_bytes", worker)] {
        let quarter = samples.len() / 4;
        if quarter == 0 {
            continue;
        }
        let (early, _) = p50_p99(&mut samples[..quarter].to_vec());
        let (late, _) = p50_p99(&mut samples[samples.len() - quarter..].to_vec());
        report.set(name, late);
        report.set(&format!("{name}_growth"), late / early);
    }
    Ok(())
}
