//! Attempts end.

use task_core::{Outcome, QueueError, SettleAnswer, SettleReply, SettleRequest, Settlement, Timestamp};

use crate::{
    claim::{claim_call, read_claim},
    ids::{stored_id, stored_token},
    queue::RedisQueue,
    reply::Reply,
    script::{self, Call},
};

/// The settlements and the claim after them travel in one write.
pub(crate) async fn settle(redis: &RedisQueue, request: SettleRequest) -> Result<SettleReply, QueueError> {
    let queue = &request.queue;
    let mut settles = redis.call(queue);
    for settlement in &request.settlements {
        add(&mut settles, settlement);
    }
    let claims = request.then.as_ref().map(|claim| claim_call(redis, claim));
    let mut calls = Vec::with_capacity(2);
    if !request.settlements.is_empty() {
        calls.push((&*script::SETTLE, &settles));
    }
    if let Some(claims) = &claims {
        calls.push((&*script::CLAIM, claims));
    }
    let mut replies = redis.link.run_all(&calls, queue).await?.into_iter();
    let mut answers = Vec::with_capacity(request.settlements.len());
    if !request.settlements.is_empty() {
        let mut reply = Reply::of(replies.next())?;
        redis.time(&mut reply)?;
        for _ in &request.settlements {
            answers.push(match reply.number()? {
                1 => SettleAnswer::Done,
                2 => SettleAnswer::AlreadyDone,
                _ => SettleAnswer::Stale,
            });
        }
    }
    let mut answer = SettleReply::new(answers);
    if let Some(claim) = &request.then {
        // what was settled is settled, whatever became of the claim
        answer.claimed = Some(match Reply::of(replies.next()) {
            Ok(reply) => read_claim(redis, claim, reply).await.map(|answer| answer.claimed),
            Err(error) => Err(error),
        });
    }
    Ok(answer)
}

/// A settlement's arguments. The time is left to the script, so that the same settlement is the same bytes again.
fn add(call: &mut Call, settlement: &Settlement) {
    let delivery = &settlement.delivery;
    let record = || delivery.record.clone().settled(&settlement.outcome, Timestamp::default()).to_record();
    let keep = || settlement.retention().map(|keep| keep.as_millis().to_string()).unwrap_or_default();
    let (kind, detail, record) = match &settlement.outcome {
        Outcome::Completed { .. } => ("C", keep(), record()),
        Outcome::Skipped { .. } => ("S", keep(), record()),
        Outcome::Cancelled { .. } => ("X", keep(), record()),
        Outcome::Failed { .. } => ("F", keep(), record()),
        Outcome::Retry { delay, .. } => ("T", delay.as_millis().to_string(), record()),
        Outcome::Released => ("R", String::new(), Vec::new()),
        Outcome::NameUnknown => ("N", delivery.record.task.to_string(), Vec::new()),
    };
    call.arg(stored_id(delivery.id())).arg(stored_token(&delivery.token)).arg(kind).arg(detail);
    call.arg(delivery.record.fingerprint.to_be_bytes()).arg(record);
}
