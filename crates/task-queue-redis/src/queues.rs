//! Which named queues there are: for people to look at, nothing depends on it.

use task_core::{Name, QueueError};

use crate::{queue::RedisQueue, reply::Reply};

/// Lists a queue that is used for the first time. A server that refuses it is not asked twice.
pub(crate) async fn note_queue(redis: &RedisQueue, queue: &Name) {
    let key = redis.link.target.keys.queues();
    if redis.link.first_use(queue)
        && let Err(error) = redis.link.send(&["SADD", &key, queue.as_str()], None).await
    {
        tracing::debug!(%error, %queue, "the queue is not listed");
    }
}

/// Those that were used, by name.
pub(crate) async fn queues(redis: &RedisQueue) -> Result<Vec<Name>, QueueError> {
    let key = redis.link.target.keys.queues();
    let mut found = Reply::new(redis.link.send(&["SMEMBERS", &key], None).await?)?;
    let mut names: Vec<Name> = Vec::new();
    while !found.is_empty() {
        names.extend(found.text()?.parse::<Name>().ok());
    }
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    Ok(names)
}
