//! The params of final tasks are kept for a replay, up to a cap by count: beyond it, the oldest lose theirs.

use bytes::Bytes;
use task_core::{Name, QueueError, TaskMessage};

use crate::{ids::id_of, queue::RedisQueue, script};

/// How many tasks one step takes on: their messages travel here.
const STEP: u64 = 100;
/// How many steps one heartbeat or look at the statistics takes.
const STEPS: usize = 10;

/// Brings a queue back to its cap, in bounded steps. What fails is done by the next who calls.
pub(crate) async fn trim(redis: &RedisQueue, queue: &Name) {
    if let Err(error) = try_trim(redis, queue).await {
        tracing::debug!(%error, %queue, "params of final tasks are kept for now");
    }
}

async fn try_trim(redis: &RedisQueue, queue: &Name) -> Result<(), QueueError> {
    let mut call = redis.call(queue);
    call.number(STEP);
    for _ in 0..STEPS {
        let mut reply = redis.run(&script::TRIM, &call, queue).await?;
        redis.time(&mut reply)?;
        if reply.is_empty() {
            break;
        }
        call = redis.call(queue);
        call.number(STEP);
        while !reply.is_empty() {
            let mut task = reply.list()?;
            let (stored_id, stored) = (task.text()?, task.bytes()?);
            let message = TaskMessage::from_record(queue.clone(), id_of(&stored_id)?, &stored).ok();
            let fingerprint = message.as_ref().map_or(0, TaskMessage::fingerprint);
            // what this release can't read is kept whole
            let bare = message.map_or_else(|| stored.to_vec(), bare);
            call.arg(stored_id).arg(bare).arg(fingerprint.to_be_bytes());
        }
    }
    Ok(())
}

fn bare(mut message: TaskMessage) -> Vec<u8> {
    message.params = Bytes::new();
    message.to_record()
}
