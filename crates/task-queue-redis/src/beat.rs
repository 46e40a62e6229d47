//! Workers' signs of life, which bring back what they are told.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use task_core::{Heartbeat, HeartbeatReply, Holds, Incarnation, Name, QueueError, WorkerCommand};
use tokio::time::Instant;

use crate::{
    block::LATE,
    clock::{end_of, millis},
    ids::{id_of, stored_id, stored_token, token_of},
    queue::RedisQueue,
    record,
    registration::register,
    reply::Reply,
    script::{self, Call},
    trim::trim,
    wire::Connection,
};

/// The workers whose last beat was told to run empty for a suspect.
#[derive(Default)]
pub(crate) struct ToldToRunEmpty(Mutex<HashSet<(Name, Incarnation)>>);

impl ToldToRunEmpty {
    /// Whether its worker was told otherwise the last time.
    fn turns(&self, beat: &Heartbeat, run_empty: bool) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let worker = (beat.queue.clone(), beat.worker);
        if run_empty { told.insert(worker) } else { told.remove(&worker) }
    }
}

/// Workers whose heartbeats were answered, and when. A beat wakes whoever waits if tasks lie there for which no token does,
/// so a wait that ends needs no look of its own; and it moves the lease.
#[derive(Default)]
pub(crate) struct Beats(Mutex<HashMap<(Name, Incarnation), Instant>>);

impl Beats {
    /// So many may be kept that have ended.
    const STALE: usize = 64;

    fn note(&self, beat: &Heartbeat) {
        let mut beats = self.lock();
        beats.insert((beat.queue.clone(), beat.worker), Instant::now());
        if beats.len() > Self::STALE {
            beats.retain(|_, at| at.elapsed() < beat.registration.lease);
        }
    }

    /// Whether one was answered within this time.
    pub(crate) fn are_fresh(&self, queue: &Name, worker: Incarnation, within: Duration) -> bool {
        self.lock().get(&(queue.clone(), worker)).is_some_and(|at| at.elapsed() < within)
    }

    pub(crate) fn forget(&self, queue: &Name, worker: Incarnation) {
        self.lock().remove(&(queue.clone(), worker));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Name, Incarnation), Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Beats, and while there is no news, waits for the worker's bell, over one connection. Without news the answer is that of the last
/// beat: a wait costs one. What a bell is rung for is told with every beat, so one that nobody hears is no loss.
///
/// Cancels that were told before end no wait: each beat tells them again. The bell that ends the wait is taken by it, so
/// the beat that follows finds none, and answers all the same. No bell tells a worker to run empty, so a beat that
/// answers otherwise than the last one does.
pub(crate) async fn heartbeat(redis: &RedisQueue, mut beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
    let end = end_of(beat.wait);
    let mut rung = false;
    loop {
        let mut connection = redis.link.waiting().await?;
        let turn = beat_and_wait(redis, &mut connection, &mut beat, &mut rung, end).await;
        redis.link.idle.keep(connection);
        if let Some(answer) = turn? {
            return Ok(answer);
        }
    }
}

/// One beat and the wait after it; none if another beat is to follow.
async fn beat_and_wait(
    redis: &RedisQueue,
    connection: &mut Connection,
    beat: &mut Heartbeat,
    rung: &mut bool,
    end: Instant,
) -> Result<Option<HeartbeatReply>, QueueError> {
    let Answer { answer, news, more } = beat_once(redis, connection, beat).await?;
    beat.progress.clear();
    if more {
        *rung |= news;
        return Ok(None);
    }
    beat.holds = None;
    let turned = redis.link.told_to_run_empty.turns(beat, answer.run_empty);
    let left = end.saturating_duration_since(Instant::now());
    if news || *rung || turned || left.is_zero() {
        return Ok(Some(answer));
    }
    let until_next = beat.registration.lease / 4;
    let bell = [format!("{}:bell:{}", redis.link.target.keys.base(&beat.queue), beat.worker)];
    match redis.link.block(connection, &bell, left.min(until_next), LATE.min(until_next)).await {
        Ok(None) if left <= until_next => return Ok(Some(answer)),
        Ok(None) => {}
        Ok(Some(_)) => *rung = true,
        // it may have rung on its way; the next beat says whether the server is away
        Err(error) if error.is_transient() => *rung = true,
        Err(error) => return Err(error),
    }
    Ok(None)
}

/// What a beat was answered.
struct Answer {
    answer: HeartbeatReply,
    /// There is something in it that the worker was not told before.
    news: bool,
    /// More is to be given back of what the worker does not hold.
    more: bool,
}

async fn beat_once(
    redis: &RedisQueue,
    connection: &mut Connection,
    beat: &Heartbeat,
) -> Result<Answer, QueueError> {
    let mut answer = HeartbeatReply::default();
    let mut reply = beat_call(redis, connection, beat, false).await?;
    let mut word = reply.text()?;
    if word == "REG" {
        reply = beat_call(redis, connection, beat, true).await?;
        word = reply.text()?;
    }
    if word == "CLOSED" {
        answer.closed = true;
        redis.link.beats.forget(&beat.queue, beat.worker);
        return Ok(Answer { answer, news: true, more: false });
    }
    redis.link.beats.note(beat);
    redis.time(&mut reply)?;
    answer.run_empty = reply.flag()?;
    let mut cancels = reply.list()?;
    while !cancels.is_empty() {
        let (id, token) = (cancels.text()?, cancels.text()?);
        answer.cancel.push((id_of(&id)?, token_of(&token)?));
    }
    let mut commands = reply.list()?;
    while !commands.is_empty() {
        let entry = commands.bytes()?;
        let Some((number, command)) = numbered(&entry) else {
            // it is gone with this answer, so it is said once
            tracing::warn!(worker = %beat.worker, bytes = entry.len(), "an entry in the worker's inbox is no command; it is passed over");
            continue;
        };
        answer.told = number;
        // a command of a newer release is passed over
        answer.commands.extend(rmp_serde::from_slice::<WorkerCommand>(command).ok());
    }
    let news = reply.flag()? || answer.told > 0;
    if reply.flag()? {
        trim(redis, &beat.queue).await;
    }
    Ok(Answer { answer, news, more: reply.flag()? })
}

/// A command as it lies in an inbox: its number, a colon, and itself.
fn numbered(entry: &[u8]) -> Option<(u64, &[u8])> {
    // so many digits as the script can count with
    let colon = entry.iter().take(16).position(|byte| *byte == b':')?;
    let number = std::str::from_utf8(&entry[..colon]).ok()?.parse().ok()?;
    Some((number, &entry[colon + 1..]))
}

async fn beat_call(
    redis: &RedisQueue,
    connection: &mut Connection,
    beat: &Heartbeat,
    registers: bool,
) -> Result<Reply, QueueError> {
    let mut call = redis.call(&beat.queue);
    call.arg(beat.worker.to_string()).number(millis(beat.registration.lease));
    call.arg(format!("{},{}", beat.busy, beat.registration.concurrency));
    if registers {
        register(&mut call, &beat.registration);
    } else {
        call.arg("").arg("").arg("");
    }
    call.number(beat.heard);
    hold(&mut call, beat.holds.as_ref());
    for update in &beat.progress {
        call.arg(stored_id(&update.id)).arg(stored_token(&update.token));
        call.arg(record::write_progress(&update.progress));
    }
    Reply::new(redis.link.run_over(connection, &script::BEAT, &call, &beat.queue).await?)
}

/// The arguments by which a beat says what its worker holds, claim by claim.
fn hold(call: &mut Call, holds: Option<&Holds>) {
    let (up_to, except, tasks) =
        holds.map_or((0, &[][..], &[][..]), |holds| (holds.up_to, &holds.except[..], &holds.tasks[..]));
    let claims = || tasks.chunk_by(|(one, _), (next, _)| one == next);
    let spoken_of: Vec<String> = std::iter::once(&up_to).chain(except).map(u64::to_string).collect();
    call.arg(spoken_of.join(",")).number(claims().count() as u64);
    for claim in claims() {
        let ids: String = claim.iter().map(|(_, id)| format!("{}\n", stored_id(id))).collect();
        call.number(claim[0].0).number(claim.len() as u64).arg(ids);
    }
}
