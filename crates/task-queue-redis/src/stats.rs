//! How a queue stands, and what keeps one of its tasks.

use std::collections::HashMap;

use deadpool_redis::redis::Value;
use task_core::{
    Explanation, Incarnation, Lookup, Name, QueueError, QueueStats, Reason, Registration, ResultMessage,
    TaskId, TaskMessage, TaskStatus, Timestamp, WorkerInfo,
};

use crate::{
    keys::stored_id,
    queue::RedisQueue,
    record::{self, Seen},
    reply::{Reply, corrupt},
    script,
};

/// The least span that rates are taken over: a burst in the first second of a queue is no rate.
const MINUTE: f64 = 60_000.0;

/// What a worker says of itself, as it is stored.
pub(crate) fn about(registration: &Registration) -> Vec<u8> {
    let Registration { label, host, pid, concurrency, names, .. } = registration;
    // strings and numbers into memory can't fail
    rmp_serde::to_vec(&(label, host, pid, concurrency, names)).unwrap_or_default()
}

pub(crate) async fn stats(redis: &RedisQueue, queue: &Name) -> Result<QueueStats, QueueError> {
    let mut reply = redis.run(&script::STATS, &redis.call(queue), queue).await?;
    let now = redis.time(&mut reply)?;
    let mut stats = QueueStats::new(queue.clone());
    count(&mut stats, reply.list()?)?;
    fill(&mut stats, &Meta::read(reply.list()?)?, now);
    let mut heads = reply.list()?;
    while !heads.is_empty() {
        if let Seen::Task(task) = record::read(queue, heads.value(), None)? {
            let waited = now.since(could_start(&task)).as_secs_f64();
            stats.oldest_pending_secs = Some(stats.oldest_pending_secs.unwrap_or(0.0).max(waited));
        }
    }
    let mut workers = reply.list()?;
    while !workers.is_empty() {
        stats.workers.extend(worker(workers.list()?)?);
    }
    Ok(stats)
}

/// Of all tasks, those that are PENDING are the ones that lie nowhere else: every other state has a structure whose
/// size is its count.
fn count(stats: &mut QueueStats, mut counts: Reply) -> Result<(), QueueError> {
    let mut next = || counts.number();
    let tasks = next()?;
    (stats.running, stats.delayed, stats.retry) = (next()?, next()?, next()?);
    (stats.suspects, stats.unknown_name) = (next()?, next()?);
    (stats.completed, stats.failed, stats.skipped, stats.cancelled) = (next()?, next()?, next()?, next()?);
    let finals = stats.completed + stats.failed + stats.skipped + stats.cancelled;
    stats.pending = tasks.saturating_sub(stats.running + stats.retry + finals + next()?);
    Ok(())
}

/// The fields of a queue's meta hash.
struct Meta(HashMap<String, String>);

impl Meta {
    fn read(mut pairs: Reply) -> Result<Self, QueueError> {
        let mut fields = HashMap::new();
        while !pairs.is_empty() {
            fields.insert(pairs.text()?, pairs.text()?);
        }
        Ok(Self(fields))
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.0.get(field)?.parse().ok()
    }
}

fn fill(stats: &mut QueueStats, meta: &Meta, now: Timestamp) {
    let total = |field| meta.number(field).unwrap_or(0);
    stats.paused = meta.0.contains_key("paused");
    stats.limit = meta.number("limit");
    let totals = &mut stats.totals;
    totals.enqueued = total("tQ");
    (totals.completed, totals.failed, totals.skipped) = (total("tC"), total("tF"), total("tS"));
    (totals.cancelled, totals.expired) = (total("tX"), total("tE"));
    (totals.retried, totals.released, totals.replayed) = (total("tT"), total("tP"), total("tY"));
    (totals.recovered_released, totals.recovered_lease) = (total("tR"), total("tL"));
    totals.dropped_results = total("tD");
    // the totals of one to two minutes ago are kept
    let span = meta.number("pn").map_or(0, |then| now.as_millis().saturating_sub(then)) as f64;
    let rate = |total: u64, then| total.saturating_sub(then) as f64 * MINUTE / span.max(MINUTE);
    let finished = totals.completed + totals.failed + totals.skipped + totals.cancelled + totals.expired;
    stats.enqueued_per_minute = rate(totals.enqueued, total("pe"));
    stats.finished_per_minute = rate(finished, total("pf"));
}

/// Since when a task that lies ready could have started: since it came in, was due, or was tried last.
fn could_start(task: &record::Task) -> Timestamp {
    let ResultMessage { queue, id, enqueued_at, started_at, errors, .. } = &task.record;
    let due = TaskMessage::from_record(queue.clone(), id.clone(), &task.stored)
        .ok()
        .and_then(|message| Some(message.start?.from(*enqueued_at)));
    let tried = errors.last().map(|error| error.at);
    [Some(*enqueued_at), due, *started_at, tried].into_iter().flatten().max().unwrap_or_default()
}

/// A worker whose registration this release can't read is passed over: nothing is decided by it.
fn worker(mut reply: Reply) -> Result<Option<WorkerInfo>, QueueError> {
    let (incarnation, about, seen) = (reply.text()?, reply.bytes()?, reply.text()?);
    let about = rmp_serde::from_slice::<(String, String, u32, u32, Vec<Name>)>(&about);
    let Ok((label, host, pid, concurrency, names)) = about else { return Ok(None) };
    let incarnation: Incarnation =
        incarnation.parse().map_err(|_| corrupt("the incarnation of a worker can't be read"))?;
    let mut times = seen.split(',').map(|number| number.parse::<u64>().unwrap_or(0));
    let mut next = || times.next().unwrap_or(0);
    let mut registration = Registration::new(label, names);
    (registration.host, registration.pid, registration.concurrency) = (host, pid, concurrency);
    let mut info = WorkerInfo::new(incarnation, &registration, Timestamp::from_millis(next()));
    info.seen = Timestamp::from_millis(next());
    info.busy = u32::try_from(next()).unwrap_or(u32::MAX);
    Ok(Some(info))
}

pub(crate) async fn explain(
    redis: &RedisQueue,
    queue: &Name,
    id: &TaskId,
) -> Result<Option<Explanation>, QueueError> {
    let Lookup::Found(known) = redis.look(queue, id).await? else { return Ok(None) };
    let mut call = redis.call(queue);
    call.arg(stored_id(id)).arg(known.task.as_str());
    let mut reply = redis.run(&script::EXPLAIN, &call, queue).await?;
    let now = redis.time(&mut reply)?;
    let view = reply.value();
    if view == Value::Nil {
        return Ok(None);
    }
    let Lookup::Found(record) = record::read(queue, view, None)?.lookup(now) else { return Ok(None) };
    let paused = reply.flag()?;
    let (workers, knowing, before) = (reply.number()?, reply.number()?, reply.number()?);
    let suspect = reply.flag()?;
    if record.status.is_final() || record.status == TaskStatus::Running {
        return Ok(Some(Explanation::from_record(*record)));
    }
    let due = record.due_at.filter(|due| *due > now);
    let mut reasons = Vec::new();
    reasons.extend(paused.then_some(Reason::Paused));
    if workers == 0 {
        reasons.push(Reason::NoWorkers);
    } else if knowing < workers {
        reasons.push(Reason::NameKnownBy { knowing, workers });
    }
    reasons.extend(due.map(|due| Reason::DueIn { millis: due.since(now).as_millis() as u64 }));
    reasons.extend(suspect.then_some(Reason::Suspect { crashes: record.crashes }));
    reasons.extend((before > 0).then_some(Reason::Behind { tasks: before }));
    Ok(Some(Explanation::new(*record, reasons)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(fields: &[(&str, &str)], now: u64) -> QueueStats {
        let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned()));
        let mut stats = QueueStats::new(Name::DEFAULT_QUEUE);
        fill(&mut stats, &Meta(fields.collect()), Timestamp::from_millis(now));
        stats
    }

    #[test]
    fn a_rate_is_of_the_last_minute_or_two_and_a_first_burst_is_none() {
        let then = [("pn", "1000"), ("pe", "100"), ("pf", "40"), ("tQ", "400"), ("tC", "90"), ("tE", "10")];
        let stats = filled(&then, 121_000);
        assert_eq!((stats.enqueued_per_minute, stats.finished_per_minute), (150.0, 30.0));
        assert_eq!(filled(&then, 2_000).enqueued_per_minute, 300.0);
        assert_eq!(filled(&[("tQ", "7")], 2_000).enqueued_per_minute, 7.0);
    }
}
