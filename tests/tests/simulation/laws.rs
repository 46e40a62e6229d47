//! What must hold at the end of every schedule.

use std::{collections::BTreeMap, time::Duration};

use task_core::{
    Batch, Enqueued, Lookup, Moment, Outcome, Queue as _, ResultMessage, TaskId, TaskMessage, TaskOptions,
    TaskStatus,
};
use tokio::time::sleep;

use crate::{
    ledger::{Story, queue},
    plan::QUEUES,
    world::{Notes, Seen, World, id},
};

/// Times are stored in whole milliseconds.
const ROUNDED: Duration = Duration::from_millis(2);

/// What was seen in a schedule, or in many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) tasks: u64,
    pub(crate) claims: usize,
    pub(crate) runs: usize,
    pub(crate) retries: u64,
    pub(crate) crashes: u64,
    pub(crate) releases: u64,
    pub(crate) suspects: usize,
    /// COMPLETED, FAILED, SKIPPED, and CANCELLED or expired.
    pub(crate) ends: [u64; 4],
}

/// Whether all laws hold.
///
/// # Errors
/// The one that does not, and the story of the task that breaks it.
pub(crate) async fn check(world: &World) -> Result<Tally, String> {
    let ledger = &world.ledger;
    let places = |(id, story): (&TaskId, &Story)| Some((id.clone(), story.queue.clone()?));
    let ids: Vec<_> = ledger.stories().iter().filter_map(places).collect();
    let mut records = BTreeMap::new();
    for (id, queue) in ids {
        if let Lookup::Found(record) = ledger.result(&queue, &id).await.map_err(|error| error.to_string())? {
            records.insert(id, *record);
        }
    }
    of_each_task(world, &records)?;
    let tally = totals_agree(world, &records).await?;
    keys_are_free(world).await?;
    no_worker_is_left(world).await?;
    Ok(tally)
}

fn of_each_task(world: &World, records: &BTreeMap<TaskId, ResultMessage>) -> Result<(), String> {
    let (notes, stories) = (world.notes(), world.ledger.stories());
    if let Some(id) = notes.acknowledged.iter().find(|id| !records.contains_key(id)) {
        return Err(format!("task {id} was acknowledged, and is not there"));
    }
    for (id, record) in records {
        let story = &stories[id];
        let told = |law: &str| format!("{law}\n{record:?}\n{}", story.log.join("\n"));
        of_its_record(record, story).map_err(told)?;
        of_its_times(world, record, story).map_err(told)?;
        of_its_runs(record, story, &notes).map_err(told)?;
    }
    follow_ups_are_there(&stories, &notes, records)?;
    suspects_ran_alone(&stories, &notes)
}

/// Each claim was ended once: by a settlement, or by a crash.
fn of_its_record(record: &ResultMessage, story: &Story) -> Result<(), &'static str> {
    let count = |is: fn(&Outcome) -> bool| story.ends.values().filter(|end| is(end)).count() as u32;
    let failures = count(|end| matches!(end, Outcome::Retry { .. } | Outcome::Failed { .. }));
    let releases = count(|end| matches!(end, Outcome::Released));
    let unknown = count(|end| matches!(end, Outcome::NameUnknown));
    let values = count(|end| matches!(end, Outcome::Completed { .. }));
    let said = count(|end| matches!(end, Outcome::Skipped { .. } | Outcome::Cancelled { .. }));
    let crashes = story.earlier.crashes + record.crashes;
    let laws = [
        (story.wrong.is_none(), story.wrong.unwrap_or_default()),
        (record.status.is_final(), "it is final"),
        (
            story.claims.len() as u32 == failures + crashes + releases + unknown + values + said,
            "each claim has ended as a failure, a crash, a release, an unknown name, or by a value, a skip or a cancel",
        ),
        (record.attempts + unknown == story.claims.len() as u32, "attempts are claims but for unknown names"),
        (record.failures + story.earlier.failures == failures, "failures are what was settled so"),
        (record.releases == releases, "releases are what was settled so"),
        (record.generation == story.replays, "each replay is a generation"),
        (values <= 1 && values + said <= 1 + story.replays, "it ends once in each generation"),
        ((record.status == TaskStatus::Completed) == (values == 1), "it COMPLETED if it returned a value"),
        (record.result.as_ref() == value(story), "its result is the value that was settled"),
    ];
    laws.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, law)| Err(law))
}

fn value(story: &Story) -> Option<&bytes::Bytes> {
    story.ends.values().find_map(|end| match end {
        Outcome::Completed { result } => Some(result),
        _ => None,
    })
}

/// It started neither too early nor too late, and not too often.
fn of_its_times(world: &World, record: &ResultMessage, story: &Story) -> Result<(), &'static str> {
    let Some(task) = world.task(&record.id) else { return Ok(()) };
    let options = &task.options;
    if record.failures > options.max_retries.unwrap_or(3) + 1 {
        return Err("it failed once more than it has retries, at most");
    }
    if record.crashes > u32::from(options.max_crashes.unwrap_or(3)) + 1 {
        return Err("it crashed once more than it may, at most");
    }
    let (Some(enqueued), Some(first), 0) =
        (story.enqueued, story.claims.values().map(|(at, ..)| *at).min(), story.replays)
    else {
        return Ok(());
    };
    let after = |moment: Option<Moment>| match moment {
        Some(Moment::In(after)) => Some(after),
        _ => None,
    };
    if after(options.start).is_some_and(|delay| first + ROUNDED < enqueued + delay) {
        return Err("it starts after its delay");
    }
    if after(options.expires).is_some_and(|expires| first > enqueued + expires + ROUNDED) {
        return Err("it starts before it expires");
    }
    Ok(())
}

/// Its code ran once a claim at most, and twice at the same time only after its worker was taken to be dead.
fn of_its_runs(record: &ResultMessage, story: &Story, notes: &Notes) -> Result<(), &'static str> {
    let runs: Vec<&Seen> = notes.runs.iter().filter(|run| run.id == record.id).collect();
    if runs.iter().any(|run| run.until.is_none()) {
        return Err("all that ran has ended");
    }
    let attempts: std::collections::BTreeSet<u32> = runs.iter().map(|run| run.attempt).collect();
    if attempts.len() < runs.len() {
        return Err("each attempt runs once");
    }
    let outlived = |n: &usize| runs[n + 1..].iter().any(|later| overlap(runs[*n], later));
    if (0..runs.len()).filter(outlived).count() as u32 > story.earlier.crashes + record.crashes {
        return Err("a run goes on beside a later one only where a crash was counted");
    }
    Ok(())
}

fn overlap(one: &Seen, other: &Seen) -> bool {
    let until = |run: &Seen| run.until.unwrap_or(Duration::MAX);
    one.from < until(other) && other.from < until(one)
}

fn follow_ups_are_there(
    stories: &BTreeMap<TaskId, Story>,
    notes: &Notes,
    records: &BTreeMap<TaskId, ResultMessage>,
) -> Result<(), String> {
    for (parent, attempt, child) in &notes.follow_ups {
        let story = &stories[parent];
        let has_value = story.ends.iter().any(|(token, end)| {
            matches!(end, Outcome::Completed { .. }) && story.claims[token].1 == *attempt
        });
        if has_value && !records.contains_key(child) {
            let log = story.log.join("\n");
            return Err(format!("task {parent} COMPLETED, and its follow-up {child} is not there\n{log}"));
        }
    }
    Ok(())
}

/// Beside a suspect nothing ran in its process.
fn suspects_ran_alone(stories: &BTreeMap<TaskId, Story>, notes: &Notes) -> Result<(), String> {
    let is_suspect = |run: &&Seen| {
        let claims = stories[&run.id].claims.values();
        claims.filter(|(_, attempt, _)| *attempt == run.attempt).any(|(.., suspect)| *suspect)
    };
    for suspect in notes.runs.iter().filter(is_suspect) {
        let beside = |run: &&Seen| run.who == suspect.who && run.id != suspect.id && overlap(run, suspect);
        if let Some(beside) = notes.runs.iter().find(beside) {
            let (one, other) = (&stories[&suspect.id].log, &stories[&beside.id].log);
            return Err(format!(
                "{beside:?} ran beside a suspect, {suspect:?}\n{}\n{}",
                one.join("\n"),
                other.join("\n")
            ));
        }
    }
    Ok(())
}

/// The backend's own counts: what came in has gone out, once.
async fn totals_agree(world: &World, records: &BTreeMap<TaskId, ResultMessage>) -> Result<Tally, String> {
    let mut all = [0; 9];
    for number in 0..QUEUES.len() {
        let stats = world.ledger.stats(&queue(number)).await.map_err(|error| error.to_string())?;
        let t = stats.totals;
        let recovered = t.recovered_released + t.recovered_lease;
        if t.recovered_lost > 0 {
            return Err(format!("{} tasks were taken from workers that held them", t.recovered_lost));
        }
        let cancelled = t.cancelled + t.expired;
        let these = [
            t.enqueued,
            t.replayed,
            t.retried,
            recovered,
            t.released,
            t.completed,
            t.failed,
            t.skipped,
            cancelled,
        ];
        all.iter_mut().zip(these).for_each(|(all, this)| *all += this);
    }
    let [enqueued, replayed, retries, crashes, releases, ends @ ..] = all;
    if enqueued != records.len() as u64 || ends.iter().sum::<u64>() != enqueued + replayed {
        return Err(format!(
            "{} tasks have records, {enqueued} were enqueued and {replayed} replayed, and they ended {ends:?}",
            records.len()
        ));
    }
    let stories = world.ledger.stories();
    let claims = stories.values().flat_map(|story| story.claims.values());
    Ok(Tally {
        tasks: enqueued,
        claims: claims.clone().count(),
        runs: world.notes().runs.len(),
        retries,
        crashes,
        releases,
        suspects: claims.filter(|(.., suspect)| *suspect).count(),
        ends,
    })
}

async fn keys_are_free(world: &World) -> Result<(), String> {
    for (number, name) in QUEUES.into_iter().enumerate() {
        let probe = |n: u8| {
            let options = TaskOptions::default().queue(name).unique_in_queue(format!("key{n}"));
            TaskMessage::new(id(&format!("probe{n}")), "work", vec![0xc0], options)
                .expect("an allowed message")
        };
        let batch = Batch::new(queue(number), (0..3).map(probe).collect());
        let answers = world.ledger.enqueue(batch).await.map_err(|error| error.to_string())?.answers;
        if answers != [Enqueued::Queued, Enqueued::Queued, Enqueued::Queued] {
            return Err(format!("a key is still held though no task is live: {answers:?}"));
        }
    }
    Ok(())
}

async fn no_worker_is_left(world: &World) -> Result<(), String> {
    let mut left = Vec::new();
    for _ in 0..20 {
        left.clear();
        for number in 0..QUEUES.len() {
            let stats = world.ledger.stats(&queue(number)).await.map_err(|error| error.to_string())?;
            left.extend(stats.workers);
        }
        if left.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_secs(3)).await;
    }
    Err(format!("workers that are long gone are taken to be alive: {left:?}"))
}
