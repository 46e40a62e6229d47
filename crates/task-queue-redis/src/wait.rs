//! What is known of a task, and waiting for its end.

use std::time::Duration;

use bytes::Bytes;
use task_core::{Lookup, Name, QueueError, TaskId, TaskMessage, Timestamp};
use tokio::time::{Instant, sleep};

use crate::{
    clock::end_of,
    ids::stored_id,
    queue::RedisQueue,
    record::{self, Seen},
    reply::corrupt,
    script,
    wire::Value,
};

/// News promise nothing, so whoever waits looks again after so long.
const SAFETY: Duration = Duration::from_secs(5);
/// The same while there are no news, because the server refuses them or their connection broke.
const WITHOUT_NEWS: Duration = Duration::from_secs(1);

/// Looks at a task.
pub(crate) async fn look(redis: &RedisQueue, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
    let (seen, now) = see(redis, queue, id).await?;
    Ok(seen.map_or(Lookup::NotFound, |seen| seen.lookup(now)))
}

/// Looks at a task whose end is waited for: from now on there are news of it. Of a live one it may tell no more than its message.
async fn listen(redis: &RedisQueue, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
    let mut call = redis.call(queue);
    call.arg(stored_id(id));
    let mut reply = redis.run(&script::LISTEN, &call, queue).await?;
    let now = match reply.number()? {
        0 => Timestamp::default(), // it has not ended
        now => redis.set_time(now),
    };
    match reply.value() {
        Value::Nil => Ok(Lookup::NotFound),
        view => Ok(record::read(queue, view)?.lookup(now)),
    }
}

/// The message of a task, while it is kept.
pub(crate) async fn message(
    redis: &RedisQueue,
    queue: &Name,
    id: &TaskId,
) -> Result<Option<TaskMessage>, QueueError> {
    let (seen, now) = see(redis, queue, id).await?;
    let stored = seen.and_then(|seen| seen.stored(now));
    let message = stored.map(|stored| TaskMessage::from_record(queue.clone(), id.clone(), &stored));
    message.transpose().map_err(|error| corrupt(&format!("task {id} in queue `{queue}`: {error}")))
}

async fn see(redis: &RedisQueue, queue: &Name, id: &TaskId) -> Result<(Option<Seen>, Timestamp), QueueError> {
    let mut call = redis.call(queue);
    call.arg(stored_id(id));
    let mut reply = redis.run(&script::LOOK, &call, queue).await?;
    let now = redis.time(&mut reply)?;
    match reply.value() {
        Value::Nil => Ok((None, now)),
        view => Ok((Some(record::read(queue, view)?), now)),
    }
}

/// Subscribes, looks, waits, in this order: so no end falls between the look and the wait. A connection that breaks ends
/// each wait on it, and the next round subscribes and looks anew.
pub(crate) async fn wait(
    redis: &RedisQueue,
    queue: &Name,
    id: &TaskId,
    timeout: Duration,
) -> Result<Lookup, QueueError> {
    if timeout.is_zero() {
        return look(redis, queue, id).await;
    }
    let end = end_of(timeout);
    let channel = format!("{}:done", redis.link.target.keys.base(queue));
    let listener = redis.link.news.listen(&channel, &stored_id(id).to_string());
    loop {
        let heard = listener.heard();
        tokio::pin!(heard);
        // from here on no news is missed
        heard.as_mut().enable();
        let pushed = redis.link.subscribed(&channel).await;
        let left = end.saturating_duration_since(Instant::now());
        let found = if pushed && !left.is_zero() {
            listen(redis, queue, id).await?
        } else {
            look(redis, queue, id).await?
        };
        if !found.is_live() || left.is_zero() {
            return Ok(found);
        }
        // news that are late may be of another task that had this id, or of what was replayed
        let is_same = |told: &Lookup| match (told, &found) {
            (Lookup::Found(told), Lookup::Found(found)) => {
                (told.enqueued_at, told.generation) == (found.enqueued_at, found.generation)
            }
            _ => false,
        };
        let safety = if pushed { SAFETY } else { WITHOUT_NEWS };
        tokio::select! {
            // nothing is lost with it: the next round looks
            () = heard => {
                let told = listener.result().and_then(|result| told_of(redis, queue, id, result));
                if let Some(told) = told.filter(is_same) {
                    return Ok(told);
                }
            }
            () = sleep(left.min(safety)) => {}
        }
    }
}

/// What news say of a task that has ended; none if it can't be read.
fn told_of(redis: &RedisQueue, queue: &Name, id: &TaskId, result: Bytes) -> Option<Lookup> {
    let id = Bytes::copy_from_slice(stored_id(id).as_ref());
    let view = Value::List(vec![Value::Bytes(id), Value::Bytes(result)]);
    Some(record::read(queue, view).ok()?.lookup(redis.link.clock.now()))
}
