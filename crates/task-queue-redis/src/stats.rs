//! How a queue stands.

use std::collections::HashMap;

use task_core::{Name, QueueError, QueueStats, ResultMessage, TaskMessage, Timestamp};

use crate::{
    queue::RedisQueue,
    record::{self, Seen},
    registration,
    reply::Reply,
    script,
    trim::trim,
};

/// The least span that rates are taken over: a burst in the first second of a queue is no rate.
const MINUTE: f64 = 60_000.0;

pub(crate) async fn stats(redis: &RedisQueue, queue: &Name) -> Result<QueueStats, QueueError> {
    let mut reply = redis.run(&script::STATS, &redis.call(queue), queue).await?;
    let now = redis.time(&mut reply)?;
    let mut stats = QueueStats::new(queue.clone());
    count(&mut stats, reply.list()?)?;
    fill(&mut stats, &Meta::read(reply.list()?)?, now);
    let mut heads = reply.list()?;
    while !heads.is_empty() {
        if let Seen::Task(task) = record::read(queue, heads.value())? {
            let waited = now.since(could_start(&task)).as_secs_f64();
            stats.oldest_pending_secs = Some(stats.oldest_pending_secs.unwrap_or(0.0).max(waited));
        }
    }
    let mut workers = reply.list()?;
    while !workers.is_empty() {
        stats.workers.extend(registration::read(workers.list()?)?);
    }
    if reply.flag()? {
        trim(redis, queue).await;
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
    totals.recovered_lost = total("tU");
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
