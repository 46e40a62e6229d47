use std::time::{Duration, SystemTime, UNIX_EPOCH};

use task_core::{Command, Queue as _, TaskOptions};

use crate::{
    check::check,
    cli,
    fleet::{Crew, Fleet},
    percentiles::p50_p99,
    report::Report,
    stage::Stage,
    task::{Noop, now},
};

/// The first is due after this, when all are enqueued.
const LEAD: Duration = Duration::from_secs(2);

/// Tasks that are due one after the other, while many others wait.
pub(crate) async fn run(stage: &Stage, run: &cli::Delayed, report: &mut Report) -> anyhow::Result<()> {
    let fleet = Fleet::start(
        stage,
        Crew { processes: 1, orchestrated: false, instances: 1, concurrency: 64, tasks: run.tasks },
    )?;
    stage.workers(1).await?;
    let far = stage.options().delay(Duration::from_secs(24 * 3600));
    let mut from = 0;
    while from < run.waiting {
        let to = (from + 20_000).min(run.waiting);
        // their numbers are behind those of the measured ones; none of them is to run
        let messages = (from..to).map(|n| Noop::message(run.tasks + n, far.clone()));
        stage.enqueue(messages.collect::<anyhow::Result<_>>()?).await?;
        from = to;
    }
    let delays = |n: u64| -> TaskOptions {
        stage.options().delay(LEAD + Duration::from_secs(run.seconds).mul_f64(n as f64 / run.tasks as f64))
    };
    let messages = (0..run.tasks).map(|n| Noop::message(n, delays(n)));
    let ids = stage.enqueue(messages.collect::<anyhow::Result<_>>()?).await?;
    // the queue's clock is this machine's, if it runs here
    let offset = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as f64 - now() as f64;
    // when each is due, as the queue took it in
    let due: Vec<_> = stage.records(&ids).await?.into_iter().map(|record| record.due_at).collect();
    stage.completed(run.tasks).await?;
    let ran = stage.stats().await?.totals.completed;
    anyhow::ensure!(ran == run.tasks, "{} tasks ran whose time had not come", ran - run.tasks);
    let runs = fleet.stop().await?;
    let seen = check(stage, &ids, &runs, report).await?;
    let mut late: Vec<f64> = seen
        .iter()
        .zip(due)
        .filter_map(|((_, seen), due)| Some((seen.at as f64 + offset) / 1e6 - due?.as_millis() as f64))
        .collect();
    anyhow::ensure!(late.len() as u64 == run.tasks, "some tasks were due before they were looked at");
    report.set("earliest_ms", late.iter().copied().fold(f64::INFINITY, f64::min));
    let (p50, p99) = p50_p99(&mut late);
    report.set("p50_ms", p50);
    report.set("p99_ms", p99);
    stage.queue.control(&stage.name, Command::Purge).await?;
    Ok(())
}
