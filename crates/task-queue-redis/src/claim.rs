//! Tasks go out, and workers wait for them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use task_core::{Batch, Claim, Claimed, Delivery, Incarnation, Name, QueueError, TaskMessage};
use tokio::time::{Instant, sleep};

use crate::{
    clock::{end_of, millis},
    ids::id_of,
    park::{self, Lists},
    queue::RedisQueue,
    record::{self, Seen},
    registration::register,
    reply::Reply,
    script::{self, Call},
};

/// Without a look nobody waits longer for a token, so that a lost one delays nobody for more. Heartbeats look as well.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// So often a worker without work looks all the same, however well its heartbeats are answered: its connection stays in use.
const LOOKS: Duration = Duration::from_secs(30);
/// How often a worker that holds a suspect looks whether it may take more: tokens are for those who may.
const ALONE: Duration = Duration::from_secs(1);
/// How many tasks one step of a release gives back.
const STEP: u64 = 200;

/// Workers whose last claim took all there was for them: whatever comes after it leaves a token, so that the next claim need not
/// look before it waits.
#[derive(Default)]
pub(crate) struct Emptied(Mutex<HashMap<(Name, Incarnation), Last>>);

struct Last {
    at: Instant,
    /// When the queue was asked.
    looked: Instant,
    number: u64,
    /// It brought tasks, which are to be brought again by its number.
    gave: bool,
    due: Option<Instant>,
    idle: bool,
}

impl Last {
    /// What is left for this claim's worker, which is nothing.
    fn of(claim: &Claim, answer: &Answer) -> Self {
        let Answer { claimed, looked, due, .. } = answer;
        let (at, gave) = (Instant::now(), !claimed.tasks.is_empty());
        Self { at, looked: *looked, number: claim.number, gave, due: *due, idle: claim.idle }
    }
}

impl Emptied {
    /// So long it counts: a worker that waits for tasks claims again at once.
    const FRESH: Duration = Duration::from_millis(100);
    /// So many may be kept that count no more.
    const STALE: usize = 64;

    fn note(&self, claim: &Claim, last: Option<Last>) {
        let (mut emptied, worker) = (self.lock(), (claim.queue.clone(), claim.worker));
        let before = emptied.remove(&worker);
        if let Some(mut last) = last {
            // answers may arrive in another order than they were given: whoever was told to watch the clock does
            last.due = last.due.or(before.and_then(|before| before.due));
            emptied.insert(worker, last);
        }
        if emptied.len() > Self::STALE {
            emptied.retain(|_, last| last.at.elapsed() < Self::FRESH);
        }
    }

    fn forget(&self, queue: &Name, worker: Incarnation) {
        self.lock().remove(&(queue.clone(), worker));
    }

    /// The answer that a claim that waits would get; none if it has to ask. It is told once.
    fn take(&self, claim: &Claim) -> Option<Answer> {
        let last = self.lock().remove(&(claim.queue.clone(), claim.worker))?;
        let age = last.at.elapsed();
        let waits = claim.max_tasks > 0 && !claim.wait.is_zero();
        let is_next = claim.number > last.number || (claim.number == last.number && !last.gave);
        // one that holds nothing may be given what the last one was not
        let holds = age < Self::FRESH && waits && is_next && (last.idle || !claim.idle);
        holds.then(|| Answer {
            claimed: Claimed::default(),
            alone: false,
            looked: last.looked,
            due: last.due,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Name, Incarnation), Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a claim was answered.
pub(crate) struct Answer {
    claimed: Claimed,
    /// The worker holds a suspect, and gets nothing beside it.
    alone: bool,
    /// When the queue was asked.
    looked: Instant,
    /// When the next task is due, if this worker watches the clock for it.
    due: Option<Instant>,
}

/// Claims, and while there is nothing, parks; at once, if the last claim of this worker took all there was, or it waited in
/// vain while its heartbeats were answered. A token ends the wait, and so does the time of the next due task, for the one
/// worker that watches the clock. That clock runs here, since Redis ends a blocking command up to 100 ms late.
pub(crate) async fn dequeue(redis: &RedisQueue, claim: Claim) -> Result<Claimed, QueueError> {
    let end = end_of(claim.wait);
    let base = redis.link.target.keys.base(&claim.queue);
    let lists = Lists::for_tasks(&claim.queue, base, claim.worker);
    let (mut token, mut cut_off) = (None::<park::Token>, false);
    let mut known = redis.link.emptied.take(&claim);
    loop {
        // a token goes back if the claim that it was taken for fails, or is dropped
        let answer = match known.take() {
            Some(answer) => answer,
            None => claim_once(redis, &claim).await?,
        };
        if let Some(token) = token.take() {
            token.spend();
        }
        let left = end.saturating_duration_since(Instant::now());
        let claimed = &answer.claimed;
        if !claimed.tasks.is_empty() || left.is_zero() || claimed.run_empty || claim.max_tasks == 0 {
            return Ok(answer.told());
        }
        let wait = left.min(answer.until_due().unwrap_or(LONGEST_WAIT)).min(LONGEST_WAIT);
        if answer.alone {
            sleep(wait.min(ALONE)).await;
            continue;
        }
        tokio::select! {
            biased;
            // if it is lost to the clock, a token that had just arrived goes back
            taken = park::park(&redis.link, &lists) => match taken {
                Ok(taken) => token = Some(taken),
                // the waiting connection alone may have broken: the next claim says whether the server is away
                Err(error) if error.is_transient() && !cut_off => cut_off = true,
                Err(error) => return Err(error),
            },
            // whoever called is to look next, and looks at once: to look here, too, is a call for nothing
            () = sleep(wait) => if wait == left && answer.until_due().is_none_or(|due| !due.is_zero()) {
                let beats = || redis.link.beats.are_fresh(&claim.queue, claim.worker, LONGEST_WAIT);
                let last = (answer.stands() && beats()).then(|| Last::of(&claim, &answer));
                redis.link.emptied.note(&claim, last);
                return Ok(answer.told());
            },
        }
    }
}

impl Answer {
    fn until_due(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Whether a worker whose heartbeats are answered may take it for what a look would find. They do not look into a queue
    /// that is paused.
    fn stands(&self) -> bool {
        !self.claimed.paused && !self.claimed.more && self.looked.elapsed() < LOOKS
    }

    /// As whoever claimed is told.
    pub(crate) fn told(mut self) -> Claimed {
        self.claimed.next_wake = self.until_due();
        self.claimed
    }
}

/// The call of one claim, without its registration.
pub(crate) fn claim_call(redis: &RedisQueue, claim: &Claim) -> Call {
    let mut call = redis.call(&claim.queue);
    call.arg(claim.worker.to_string()).number(claim.number).number(claim.acked);
    call.number(claim.max_tasks.min(Batch::MAX) as u64).number(claim.max_bytes as u64);
    call.number(millis(claim.registration.lease)).number(u64::from(claim.idle));
    call
}

async fn claim_once(redis: &RedisQueue, claim: &Claim) -> Result<Answer, QueueError> {
    let reply = redis.run(&script::CLAIM, &claim_call(redis, claim), &claim.queue).await?;
    read_claim(redis, claim, reply).await
}

/// Reads the answer to a claim; a worker that the backend does not know yet claims again with its registration.
pub(crate) async fn read_claim(
    redis: &RedisQueue,
    claim: &Claim,
    mut reply: Reply,
) -> Result<Answer, QueueError> {
    let mut word = reply.text()?;
    if word == "REG" {
        let mut call = claim_call(redis, claim);
        register(&mut call, &claim.registration);
        reply = redis.run(&script::CLAIM, &call, &claim.queue).await?;
        word = reply.text()?;
    }
    if word == "CLOSED" {
        redis.link.emptied.note(claim, None);
        return Err(QueueError::Closed(claim.worker));
    }
    redis.time(&mut reply)?;
    let (more, due) = (reply.flag()?, reply.signed()?);
    let (run_empty, paused, alone) = (reply.flag()?, reply.flag()?, reply.flag()?);
    let mut claimed = Claimed::default();
    let start = record::start(&reply.text()?);
    let mut tasks = reply.list()?;
    claimed.tasks.reserve_exact(tasks.len() / 2); // most come with their message
    while !tasks.is_empty() {
        let id = tasks.bytes()?;
        let delivery = if id.is_empty() {
            let Seen::Task(task) = record::read(&claim.queue, tasks.value())? else { continue };
            let mut task = *task;
            task.record.worker = Some(claim.registration.label.clone());
            Delivery::new(claim.token(), &task.stored, task.record)
        } else {
            let (id, stored) = (id_of(&id)?, tasks.bytes()?);
            let before = claimed.tasks.last().map(|before| &before.record.task);
            let message = TaskMessage::from_record_like(claim.queue.clone(), id.clone(), before, &stored);
            let mut record = record::claimed(&claim.queue, id, message.as_ref(), start)?;
            record.worker = Some(claim.registration.label.clone());
            Delivery::with_message(claim.token(), message, record)
        };
        claimed.tasks.push(delivery.into());
    }
    claimed.more = more;
    let looked = Instant::now();
    let due = u64::try_from(due).ok().and_then(|due| looked.checked_add(Duration::from_millis(due)));
    (claimed.run_empty, claimed.paused) = (run_empty, paused);
    let emptied = claim.max_tasks > 0 && !(more || run_empty || paused || alone);
    let answer = Answer { claimed, alone, looked, due };
    redis.link.emptied.note(claim, emptied.then(|| Last::of(claim, &answer)));
    Ok(answer)
}

/// Closes a worker's start, and gives back what it holds, in bounded steps.
pub(crate) async fn release(
    redis: &RedisQueue,
    queue: &Name,
    worker: Incarnation,
) -> Result<u64, QueueError> {
    redis.link.emptied.forget(queue, worker);
    redis.link.beats.forget(queue, worker);
    let mut call = redis.call(queue);
    call.arg(worker.to_string()).number(STEP);
    let mut given = 0;
    loop {
        let mut reply = redis.run(&script::RELEASE, &call, queue).await?;
        given += reply.number()?;
        if !reply.flag()? {
            return Ok(given);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_stands_for_half_a_minute_and_its_clock_is_not_moved_by_waits() {
        let now = Instant::now();
        let due = Some(now + Duration::from_secs(3600));
        let answer = Answer { claimed: Claimed::default(), alone: false, looked: now, due };
        for _ in 0..5 {
            assert!(answer.stands());
            sleep(LONGEST_WAIT + Duration::from_millis(3)).await; // a timer is a little late
        }
        sleep(LONGEST_WAIT).await;
        assert!(!answer.stands());
        assert_eq!(answer.until_due(), Some(Duration::from_millis(3_600_000 - 30_015)));
        let mut claimed = Claimed::default();
        claimed.paused = true;
        assert!(!Answer { claimed, alone: false, looked: Instant::now(), due: None }.stands());
    }
}
