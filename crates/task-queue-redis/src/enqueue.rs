//! Tasks come in.

use deadpool_redis::redis::Value;
use task_core::{Batch, EnqueueReply, Enqueued, Moment, QueueError, TaskMessage};

use crate::{
    ids::{id_of, stored_id},
    queue::RedisQueue,
    queues::note_queue,
    record,
    reply::corrupt,
    script,
};

pub(crate) async fn enqueue(redis: &RedisQueue, batch: Batch) -> Result<EnqueueReply, QueueError> {
    if batch.messages.len() > Batch::MAX {
        let wrong = format!("a batch of {} messages; at most {} fit", batch.messages.len(), Batch::MAX);
        return Err(QueueError::invalid(wrong));
    }
    let durability = redis.server.durability.clone();
    if batch.messages.is_empty() {
        return Ok(EnqueueReply::new(Vec::new(), durability));
    }
    note_queue(redis, &batch.queue).await;
    let mut call = redis.call(&batch.queue);
    let prints: Vec<u64> = batch.messages.iter().map(TaskMessage::fingerprint).collect();
    for mut message in batch.messages {
        message.enqueued_at = Some(redis.link.clock.now());
        call.arg(stored_id(&message.id)).arg(message.to_record());
        call.number(u64::from(message.priority)).arg(special(&message));
    }
    let mut reply = match redis.run(&script::ENQUEUE, &call, &batch.queue).await {
        Err(QueueError::Full(_)) => {
            return Ok(EnqueueReply::new(vec![Enqueued::Full; prints.len()], durability));
        }
        reply => reply?,
    };
    redis.time(&mut reply)?;
    let mut answers = Vec::with_capacity(prints.len());
    for print in prints {
        answers.push(match reply.value() {
            Value::Int(1) => Enqueued::Queued,
            Value::Int(_) => Enqueued::Full,
            Value::BulkString(owner) => {
                let owner = std::str::from_utf8(&owner)
                    .map_err(|_| corrupt("the owner of a unique key can't be read"))?;
                Enqueued::DuplicateOf(id_of(owner)?)
            }
            view => {
                let (status, found) = record::read(&batch.queue, view, None)?.identity();
                Enqueued::Exists { status, same: found == print }
            }
        });
    }
    Ok(EnqueueReply::new(answers, durability))
}

/// What few tasks need, in the form that `enqueue.lua` reads.
fn special(message: &TaskMessage) -> String {
    let at = |moment: Option<Moment>| match moment {
        Some(Moment::At(time)) => (time.as_millis().to_string(), String::new()),
        Some(Moment::In(time)) => (String::new(), time.as_millis().to_string()),
        None => Default::default(),
    };
    let lock = message.lock();
    if message.start.is_none() && message.expires.is_none() && lock.is_none() && message.retention.is_none() {
        return String::new();
    }
    let ((start_at, start_in), (end_at, end_in)) = (at(message.start), at(message.expires));
    let keep = message.retention.map(|keep| keep.as_millis().to_string()).unwrap_or_default();
    let print = message.fingerprint();
    format!("{start_at},{start_in},{end_at},{end_in},{keep},{print:016x},{}", lock.unwrap_or_default())
}
