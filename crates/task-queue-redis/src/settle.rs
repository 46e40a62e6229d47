//! Attempts end.

use std::{collections::HashSet, time::Duration};

use task_core::{
    Name, Outcome, QueueError, ResultMessage, SettleAnswer, SettleReply, SettleRequest, Settlement,
    TaskStatus, Timestamp,
};

use crate::{
    claim::{Answer, claim_call, read_claim},
    clock::millis,
    ids::{stored_id, stored_token},
    queue::RedisQueue,
    record,
    reply::Reply,
    script::{self, Call},
};

/// The settlements and the claim after them travel in one write.
pub(crate) async fn settle(redis: &RedisQueue, request: SettleRequest) -> Result<SettleReply, QueueError> {
    let queue = &request.queue;
    let mut settles = redis.call(queue);
    let (groups, order) = groups(&request.settlements);
    for group in &groups {
        group.add(&mut settles, redis.link.clock.now());
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
    let mut answers = vec![SettleAnswer::Done; request.settlements.len()];
    if !request.settlements.is_empty() {
        let mut reply = Reply::of(replies.next())?;
        redis.time(&mut reply)?;
        let all_are_done = reply.is_empty();
        for place in order.into_iter().filter(|_| !all_are_done) {
            answers[place] = match reply.number()? {
                1 => SettleAnswer::Done,
                2 => SettleAnswer::AlreadyDone,
                _ => SettleAnswer::Stale,
            };
        }
    }
    let mut answer = SettleReply::new(answers);
    if let Some(claim) = &request.then {
        // what was settled is settled, whatever became of the claim
        answer.claimed = Some(match Reply::of(replies.next()) {
            Ok(reply) => read_claim(redis, claim, reply).await.map(Answer::told),
            Err(error) => Err(error),
        });
    }
    Ok(answer)
}

/// Settlements of one kind, of tasks that one claim gave: the script does for all of them at once what it can.
struct Group<'a> {
    kind: &'static str,
    held: String,
    detail: Detail,
    started_at: Timestamp,
    members: Vec<&'a Settlement>,
}

/// The groups, and the places that their members had, in turn. What is settled twice in one request is not moved.
fn groups(settlements: &[Settlement]) -> (Vec<Group<'_>>, Vec<usize>) {
    let mut seen = HashSet::with_capacity(settlements.len());
    let moves = settlements.iter().all(|settlement| seen.insert(settlement.delivery.id()));
    let mut groups: Vec<(Group<'_>, Vec<usize>)> = Vec::new();
    for (place, settlement) in settlements.iter().enumerate() {
        let (kind, detail) = kind(settlement);
        let delivery = &settlement.delivery;
        let started_at = delivery.record.started_at.unwrap_or_default();
        let of_this = |(group, _): &&mut (Group<'_>, Vec<usize>)| {
            let token = group.members[0].delivery.token;
            (group.kind, token, group.started_at) == (kind, delivery.token, started_at)
                && group.detail == detail
        };
        // what is given back comes out in this order, so that none of it goes before another
        let behind = if kind == "R" { 1 } else { groups.len() };
        match groups.iter_mut().rev().take(behind).find(of_this).filter(|_| moves) {
            Some((group, places)) => {
                group.members.push(settlement);
                places.push(place);
            }
            None => {
                let held = format!("{}@{}", stored_token(&delivery.token), started_at.as_millis());
                let group = Group { kind, held, detail, started_at, members: vec![settlement] };
                groups.push((group, vec![place]));
            }
        }
    }
    let (groups, places): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    (groups, places.concat())
}

/// What a script has to know of a kind of end.
#[derive(PartialEq)]
enum Detail {
    Nothing,
    Millis(u64),
    Name(Name),
}

fn kind(settlement: &Settlement) -> (&'static str, Detail) {
    let millis = |time: Duration| Detail::Millis(millis(time));
    let keep = |status| millis(ResultMessage::retention(status, settlement.retention()));
    let asked = || settlement.retention().map_or(Detail::Nothing, millis);
    match &settlement.outcome {
        Outcome::Completed { .. } => ("C", keep(TaskStatus::Completed)),
        Outcome::Skipped { .. } => ("S", keep(TaskStatus::Skipped)),
        Outcome::Cancelled { .. } => ("X", asked()),
        Outcome::Failed { .. } => ("F", asked()),
        Outcome::Retry { delay, .. } => ("T", millis(*delay)),
        Outcome::Released => ("R", Detail::Nothing),
        Outcome::NameUnknown => ("N", Detail::Name(settlement.delivery.record.task.clone())),
    }
}

impl Group<'_> {
    fn add(&self, call: &mut Call, now: Timestamp) {
        // no answer of the server may have come here since it started
        let ended = now.max(self.started_at);
        call.arg(self.kind).arg(&self.held);
        match &self.detail {
            Detail::Nothing => call.arg(""),
            Detail::Millis(millis) => call.number(*millis),
            Detail::Name(name) => call.arg(name.as_str()),
        };
        call.number(ended.as_millis()).number(self.members.len() as u64);
        let times = match self.detail {
            Detail::Millis(keep) if self.kind == "C" || self.kind == "S" => {
                Some(record::ended_times(ended, keep, self.kind))
            }
            _ => None,
        };
        for settlement in &self.members {
            let delivery = &settlement.delivery;
            call.arg(stored_id(delivery.id()));
            // the time is in the header alone, so that the same settlement is the same bytes again
            let record =
                || delivery.record.clone().settled(&settlement.outcome, Timestamp::default()).to_record();
            let print = delivery.record.fingerprint.to_be_bytes();
            if let Some(times) = &times {
                call.parts(record::ended_parts(times, &print, &record()));
                continue;
            }
            let goes_on = matches!(settlement.outcome, Outcome::Released | Outcome::NameUnknown);
            call.arg(print);
            call.arg(if goes_on { Vec::new() } else { record() });
        }
    }
}
