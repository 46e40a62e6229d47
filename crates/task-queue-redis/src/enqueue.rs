//! Tasks come in.

use task_core::{Batch, EnqueueReply, Enqueued, Moment, Name, QueueError, TaskMessage, Timestamp};

use crate::{
    clock::millis,
    ids::{id_of, stored_id},
    queue::RedisQueue,
    queues::note_queue,
    record,
    reply::{Reply, corrupt},
    script::{self, Call},
    wire::Value,
};

/// So many plain tasks go into one call, and another takes the place of so many: its schedule is a tree.
const A_CALL: usize = 1000;
const SPECIAL: usize = 4;

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
    let now = redis.link.clock.now();
    let mut messages = batch.messages;
    let calls: Vec<Call> =
        in_calls(&mut messages).map(|part| call_for(redis, &batch.queue, part, now)).collect();
    let calls: Vec<_> = calls.iter().map(|call| (&*script::ENQUEUE, call)).collect();
    let mut replies = redis.link.run_all(&calls, &batch.queue).await?.into_iter();
    let mut answers = Vec::with_capacity(messages.len());
    for part in in_calls(&mut messages) {
        match Reply::of(replies.next()) {
            Err(QueueError::Full(_)) => answers.extend(part.iter().map(|_| Enqueued::Full)),
            // other parts may have been taken in: what becomes of the batch is known when it is sent again
            Err(error) if calls.len() > 1 && error.is_transient() => {
                return Err(QueueError::answer_lost(error));
            }
            reply => read(redis, &batch.queue, part, reply?, &mut answers)?,
        }
    }
    Ok(EnqueueReply::new(answers, durability))
}

/// What one call takes in: no more than keeps the server for some milliseconds from its other clients.
fn in_calls(messages: &mut [TaskMessage]) -> impl Iterator<Item = &mut [TaskMessage]> {
    let mut cost = 0;
    messages.chunk_by_mut(move |_, next| {
        cost += if is_special(next) { SPECIAL } else { 1 };
        let fits = cost < A_CALL;
        cost = if fits { cost } else { 0 };
        fits
    })
}

fn call_for(redis: &RedisQueue, queue: &Name, messages: &mut [TaskMessage], now: Timestamp) -> Call {
    let mut call = redis.call(queue);
    call.arg(priorities(messages));
    call.number(messages.iter().filter(|message| is_special(message)).count() as u64);
    for (n, message) in messages.iter().enumerate().filter(|(_, message)| is_special(message)) {
        special(&mut call, n, message);
    }
    for message in messages {
        message.enqueued_at = Some(now);
        call.arg(stored_id(&message.id)).arg(message.to_record());
    }
    call
}

fn read(
    redis: &RedisQueue,
    queue: &Name,
    messages: &[TaskMessage],
    mut reply: Reply,
    answers: &mut Vec<Enqueued>,
) -> Result<(), QueueError> {
    redis.time(&mut reply)?;
    if reply.is_empty() {
        answers.extend(messages.iter().map(|_| Enqueued::Queued));
        return Ok(());
    }
    for message in messages {
        answers.push(match reply.value() {
            Value::Int(1) => Enqueued::Queued,
            Value::Int(_) => Enqueued::Full,
            Value::Bytes(owner) => {
                let owner = std::str::from_utf8(&owner)
                    .map_err(|_| corrupt("the owner of a unique key can't be read"))?;
                Enqueued::DuplicateOf(id_of(owner)?)
            }
            view => {
                let (status, found) = record::read(queue, view)?.identity();
                Enqueued::Exists { status, same: found == message.fingerprint() }
            }
        });
    }
    Ok(())
}

/// Their priorities, a byte each; one where they are the same.
fn priorities(messages: &[TaskMessage]) -> Vec<u8> {
    let mut priorities: Vec<u8> = messages.iter().map(|message| message.priority).collect();
    if priorities.windows(2).all(|pair| pair[0] == pair[1]) {
        priorities.truncate(1);
    }
    priorities
}

/// Whether it needs more than its record and a place in a ready list.
fn is_special(message: &TaskMessage) -> bool {
    message.start.is_some() || message.expires.is_some() || message.unique.is_some()
}

/// What few tasks need; `n` is its place in the batch.
fn special(call: &mut Call, n: usize, message: &TaskMessage) {
    call.number(n as u64 + 1);
    for moment in [message.start, message.expires] {
        let (at, in_) = match moment {
            Some(Moment::At(time)) => (time.as_millis().to_string(), String::new()),
            Some(Moment::In(time)) => (String::new(), millis(time).to_string()),
            None => Default::default(),
        };
        call.arg(at).arg(in_);
    }
    call.arg(message.lock().unwrap_or_default());
}
