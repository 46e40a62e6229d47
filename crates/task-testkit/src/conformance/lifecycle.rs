//! The table of states, row by row.

use std::time::Duration;

use task_core::{Capability, Command, Event, Outcome, Queue as _, TRANSITIONS, TaskStatus};

use crate::{
    Harness,
    sim::{Sim, completed, failed, retry, skipped},
    stage::*,
};

/// A new row of the table fails here until it has a walk.
pub async fn every_row_of_the_table_of_states_is_walked<H: Harness>(h: &H) {
    for (n, row) in TRANSITIONS.iter().enumerate() {
        let id = format!("row{n}");
        if walk(h, &id, row.from, row.event).await {
            assert_eq!(h.status(&id).await, row.to, "{} and {:?}", row.from, row.event);
        }
        // what is left of it must not stand in the way of the next row
        h.advance(Duration::from_secs(700)).await;
        let mut cleaner = h.sim("cleaner");
        for delivery in cleaner.claim(9).await {
            cleaner.complete(&delivery).await;
        }
    }
}

/// Brings a task into a status and lets an event happen; answers false if the backend can't do it, and says so.
async fn walk<H: Harness>(h: &H, name: &str, from: TaskStatus, event: Event) -> bool {
    use {Event as E, TaskStatus as S};
    let needed = match event {
        E::Expired => Some(Capability::Expiry),
        E::Cancelled | E::EndedCancelled => Some(Capability::Cancel),
        E::NameUnknown | E::NameUnknownForGood => Some(Capability::UnknownNames),
        E::Replayed => Some(Capability::Replay),
        _ => None,
    };
    if let Some(capability) = needed
        && h.lacks(capability).await
    {
        return false;
    }
    let mut worker = Sim::knowing(h.queue(), "walker", &[]).lease(secs(3600));
    let options = match event {
        E::Expired => options().expires(secs(30)),
        E::CrashedTooOften => options().max_crashes(0),
        _ => options(),
    };
    h.put(name, options).await;
    let cancel = || async { h.queue().cancel(&QUEUE, &id(name)).await.expect("a cancel is answered") };
    if (from, event) == (S::Cancelled, E::Replayed) {
        if h.lacks(Capability::Cancel).await {
            return false;
        }
        cancel().await;
    }
    let before = match from {
        S::Pending if event == E::NameUnknownForGood => Some(Outcome::NameUnknown),
        S::Retry => Some(retry(secs(30))),
        S::Failed => Some(failed()),
        _ => None,
    };
    let mut held = None;
    if from == S::Running || before.is_some() {
        held = Some(worker.claim_one().await);
    }
    if let (Some(outcome), Some(delivery)) = (before, &held) {
        worker.settle(delivery, outcome).await;
    }
    assert_eq!(h.status(name).await, from, "before {event:?}");
    let ends_by = match (from, event) {
        (S::Pending, E::Claimed) => {
            worker.claim_one().await;
            return h.status(name).await == S::Running;
        }
        (S::Pending, E::Expired) | (S::Retry, E::BackoffOver) => {
            h.advance(secs(60)).await;
            h.housekeeping().await;
            return true;
        }
        (S::Pending, E::NameUnknownForGood) => {
            h.advance(secs(660)).await;
            h.housekeeping().await;
            return true;
        }
        (S::Pending | S::Retry, E::Cancelled) => {
            cancel().await;
            return true;
        }
        (S::Failed | S::Cancelled, E::Replayed) => {
            h.control(Command::Replay(id(name))).await;
            return true;
        }
        (S::Running, E::Crashed | E::CrashedTooOften) => {
            worker.release().await;
            return true;
        }
        (S::Running, E::EndedCancelled) => {
            cancel().await;
            failed()
        }
        (S::Running, E::Returned) => completed(1),
        (S::Running, E::Skipped) => skipped(),
        (S::Running, E::FailedWithRetries) => retry(secs(30)),
        (S::Running, E::FailedForGood) => failed(),
        (S::Running, E::Released) => Outcome::Released,
        (S::Running, E::NameUnknown) => Outcome::NameUnknown,
        (from, event) => panic!("the row {from}, {event:?} has no walk yet: add one"),
    };
    let delivery = held.expect("a running task was claimed");
    worker.settle(&delivery, ends_by).await;
    true
}
