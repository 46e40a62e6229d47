use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use task_core::{Command, Queue as _, TaskId, TaskOptions, TaskQueue};

use super::drain;
use crate::{
    check::check,
    cli,
    fleet::{Crew, Fleet},
    machine::Watch,
    percentiles::p50_p99,
    report::Report,
    stage::{Stage, connect},
    task::{Noop, now},
};

const PRODUCERS: u64 = 2;
/// In nanoseconds: what slows all down for a while, as a hash of the server's that grows, is in the 99th hundredth of a run, and
/// in that of a few such slots.
const SLOT: u64 = 50_000_000;

/// Tasks come in when their time is there, from two producers, whether or not the workers follow, which an orchestrator
/// keeps. A producer is a task of this process with connections of its own. How late a task starts counts from when it was
/// due, so what a producer that is late itself adds is in it; how much that is stands beside it.
pub(crate) async fn run(stage: &Stage, run: &cli::OpenLoop, report: &mut Report) -> anyhow::Result<()> {
    let rate = match run.rate {
        Some(rate) => rate as f64,
        None => {
            let drained = drain_rate(stage, run).await?;
            report.set("drain_per_s", drained);
            drained * run.percent as f64 / 100.0
        }
    };
    report.set("rate_per_s", rate);
    let own = stage.beside().await?;
    let fleet = Fleet::start(&own, crew(run))?;
    own.workers(run.workers as usize).await?;
    let before = stage.used().await?;
    let watch = Watch::start();
    let start = now() + 10_000_000;
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let queue = if stage.server.is_some() { connect(&stage.url).await? } else { stage.queue.clone() };
        let numbers: Vec<u64> = (producer..run.tasks).step_by(PRODUCERS as usize).collect();
        producers.spawn(produce(queue, own.options(), numbers, start, rate));
    }
    let (mut ids, mut sent_late): (Vec<(u64, TaskId)>, Vec<f64>) = (Vec::new(), Vec::new());
    while let Some(produced) = producers.join_next().await {
        let (its_ids, late) = produced??;
        ids.extend(its_ids);
        sent_late.extend(late);
    }
    let enqueued = now();
    own.completed(run.tasks).await?;
    report.set("tail_ms", now().saturating_sub(enqueued) as f64 / 1e6);
    let stood = watch.stop();
    report.set("machine_late_p99_ms", stood.p99_ms());
    report.set("machine_late_longest_ms", stood.longest_ms());
    if let (Some(before), Some(after)) = (before, stage.used().await?) {
        report.set("redis_cpu_us_per_task", (after.cpu_us - before.cpu_us) / run.tasks as f64);
        report.set("round_trips_per_task", (after.calls - before.calls) as f64 / run.tasks as f64);
    }
    let runs = fleet.stop().await?;
    ids.sort_by_key(|(number, _)| *number);
    let ids: Vec<TaskId> = ids.into_iter().map(|(_, id)| id).collect();
    let seen = check(&own, &ids, &runs, report).await?;
    let mut late: Vec<f64> = Vec::with_capacity(seen.len());
    let mut slots: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (_, seen) in &seen {
        let due = due(seen.twice / 2, rate);
        let after = seen.at.saturating_sub(start + due) as f64 / 1e6;
        late.push(after);
        slots.entry(due / SLOT).or_default().push(after);
    }
    let (p50, p99) = p50_p99(&mut late);
    report.set("p50_ms", p50);
    report.set("p99_ms", p99);
    let mut of_slots: Vec<f64> = slots.values_mut().map(|slot| p50_p99(slot).1).collect();
    report.set("p99_of_a_slot_ms", p50_p99(&mut of_slots).0);
    let (p50, p99) = p50_p99(&mut sent_late);
    report.set("sent_late_p50_ms", p50);
    report.set("sent_late_p99_ms", p99);
    report.set("tasks_per_s", drain::rate(seen.iter().map(|(record, _)| record)));
    Ok(())
}

fn crew(run: &cli::OpenLoop) -> Crew {
    Crew {
        processes: run.workers,
        orchestrated: true,
        instances: 1,
        concurrency: run.concurrency,
        tasks: run.tasks,
    }
}

/// When a task is to be enqueued, in nanoseconds from the start.
fn due(number: u64, rate: f64) -> u64 {
    (number as f64 / rate * 1e9) as u64
}

/// Enqueues these; answers their ids, and how late each call was made, in milliseconds.
async fn produce(
    queue: TaskQueue,
    options: TaskOptions,
    numbers: Vec<u64>,
    start: u64,
    rate: f64,
) -> anyhow::Result<(Vec<(u64, TaskId)>, Vec<f64>)> {
    let (mut ids, mut late) = (Vec::with_capacity(numbers.len()), Vec::with_capacity(numbers.len()));
    let mut sent = FuturesUnordered::new();
    let mut numbers = numbers.into_iter().peekable();
    while numbers.peek().is_some() || !sent.is_empty() {
        while let Some(number) = numbers.next_if(|number| start + due(*number, rate) <= now()) {
            late.push(now().saturating_sub(start + due(number, rate)) as f64 / 1e6);
            let enqueue = queue.enqueue(Noop::new(number)).options(|_| options.clone());
            sent.push(async move { anyhow::Ok((number, enqueue.await?.id().clone())) });
        }
        let next = numbers.peek().map(|number| (start + due(*number, rate)).saturating_sub(now()));
        tokio::select! {
            // an enqueue that is not polled stays in its place
            Some(answer) = sent.next(), if !sent.is_empty() => ids.push(answer?),
            () = tokio::time::sleep(Duration::from_nanos(next.unwrap_or(0))), if next.is_some() => {}
        }
    }
    Ok((ids, late))
}

/// How fast these workers empty a full queue, from when all are there.
async fn drain_rate(stage: &Stage, run: &cli::OpenLoop) -> anyhow::Result<f64> {
    stage.queue.control(&stage.name, Command::Pause).await?;
    let ids = drain::fill(stage, run.tasks).await?;
    let fleet = Fleet::start(stage, crew(run))?;
    stage.workers(run.workers as usize).await?;
    stage.queue.control(&stage.name, Command::Resume).await?;
    stage.completed(run.tasks).await?;
    fleet.stop().await?;
    Ok(drain::rate(stage.records(&ids).await?.iter()))
}
