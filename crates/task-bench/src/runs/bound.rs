use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use task_core::{Claim, Heartbeat, Incarnation, Queue as _, Registration, Timestamp};
use tokio::task::spawn_blocking;

use crate::{
    cli,
    fleet::{Crew, Fleet},
    machine::first_touch_us,
    report::Report,
    server::Server,
    stage::Stage,
    task::Noop,
};

/// How long a result is kept here.
const RETENTION: Duration = Duration::from_secs(1);
/// The first touch of memory takes no longer after more.
const LONG: Duration = Duration::from_secs(10);

/// The longest that any call keeps a Redis from its other clients, where very much is due at once: a million delayed tasks
/// become due, their results end, and a worker dies that holds ten thousand.
pub(crate) async fn run(stage: &Stage, run: &cli::Bound, report: &mut Report) -> anyhow::Result<()> {
    let server = stage
        .server
        .as_ref()
        .context("only a Redis can be kept from its clients; use --private-redis none")?;
    server.watch_slow_calls().await?;

    // all are due at one moment, when all are there
    let lead = Duration::from_secs(1 + run.tasks / 20_000);
    let due = Timestamp::from_millis(u64::try_from(
        (SystemTime::now() + lead).duration_since(UNIX_EPOCH)?.as_millis(),
    )?);
    let options = stage.options().retention(RETENTION);
    let mut from = 0;
    while from < run.tasks {
        let to = (from + 20_000).min(run.tasks);
        let messages = (from..to).map(|n| Noop::message(n, options.clone().at(due)));
        stage.enqueue(messages.collect::<anyhow::Result<_>>()?).await?;
        from = to;
    }
    note(server, report, "enqueue").await?;
    let until_due = UNIX_EPOCH + Duration::from_millis(due.as_millis());
    // it lies alone for about as long as the queue's memory does
    let left_alone = until_due.duration_since(SystemTime::now()).unwrap_or_default().min(LONG);
    report.set("first_touch_us", spawn_blocking(move || first_touch_us(left_alone)).await?);
    while SystemTime::now() < until_due {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let fleet = Fleet::start(
        stage,
        Crew { processes: 1, orchestrated: false, instances: 1, concurrency: 500, tasks: run.tasks },
    )?;
    stage.completed(run.tasks).await?;
    note(server, report, "due").await?;
    // ids are remembered for ten minutes, by the queue's own clock; results go after a second
    let forgotten = async || -> anyhow::Result<bool> {
        let stats = stage.stats().await?;
        Ok(stats.completed == 0)
    };
    while !forgotten().await? {
        tokio::time::sleep(Duration::from_millis(1)).await; // each look forgets some
    }
    note(server, report, "expiring").await?;
    let runs = fleet.stop().await?;
    report.tasks = Some(run.tasks);
    report.lost = Some(runs.iter().filter(|count| **count == 0).count() as u64);
    report.duplicated = Some(runs.iter().map(|count| u64::from(count.saturating_sub(1))).sum());

    dies(stage, run.held).await?;
    note(server, report, "dying").await?;
    Ok(())
}

/// A worker claims so many tasks and dies; another gets them all back.
async fn dies(stage: &Stage, tasks: u64) -> anyhow::Result<()> {
    let queue = &stage.queue;
    stage.enqueue(stage.messages(0..tasks)?).await?;
    let name = Noop::message(0, stage.options())?.name;
    let mut registration = Registration::new("dies", [name]);
    registration.lease = Duration::from_secs(1);
    let (registration, worker) = (Arc::new(registration), Incarnation::new());
    let (mut held, mut number) = (0, 1);
    while held < tasks {
        let mut claim = Claim::new(stage.name.clone(), worker, registration.clone(), number);
        claim.max_tasks = 500;
        let claimed = queue.dequeue(claim).await?.tasks.len() as u64;
        anyhow::ensure!(claimed > 0, "{held} of {tasks} tasks were claimed, and then none");
        (held, number) = (held + claimed, number + 1);
    }
    let other = Incarnation::new();
    loop {
        queue.heartbeat(Heartbeat::new(stage.name.clone(), other, registration.clone())).await?;
        if stage.stats().await?.pending >= tasks {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn note(server: &Server, report: &mut Report, what: &str) -> anyhow::Result<()> {
    let calls = server.slow_calls_ms().await?;
    report.set(&format!("longest_ms_{what}"), calls.iter().copied().fold(0.0, f64::max));
    report.set(&format!("over_5_ms_{what}"), calls.iter().filter(|ms| **ms > 5.0).count() as f64);
    Ok(())
}
