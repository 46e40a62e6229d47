//! The table of states, row by row.

use std::time::Duration;

use task_core::{Capability, Command, Event, Outcome, Queue as _, TRANSITIONS, TaskStatus};

use crate::{
    Harness,
    sim::{Sim, completed, failed, retry, skipped},
    stage::*,
};

/// A new row of the table fails here until it has a walk, and then deserves a promise of its own below.
pub async fn every_row_of_the_table_of_states_is_walked<H: Harness>(h: &H) {
    for transition in TRANSITIONS {
        row(h, transition.from, transition.event).await;
        // what is left of it must not stand in the way of the next row
        h.advance(Duration::from_secs(700)).await;
        let mut cleaner = h.sim("cleaner");
        for delivery in cleaner.claim(9).await {
            cleaner.complete(&delivery).await;
        }
    }
}

pub async fn a_pending_task_that_is_claimed_is_running<H: Harness>(h: &H) {
    row(h, TaskStatus::Pending, Event::Claimed).await;
}

pub async fn a_pending_task_that_expires_is_cancelled<H: Harness>(h: &H) {
    row(h, TaskStatus::Pending, Event::Expired).await;
}

pub async fn a_pending_task_that_is_cancelled_is_cancelled_at_once<H: Harness>(h: &H) {
    row(h, TaskStatus::Pending, Event::Cancelled).await;
}

pub async fn a_pending_task_whose_name_nobody_knows_has_failed_in_the_end<H: Harness>(h: &H) {
    row(h, TaskStatus::Pending, Event::NameUnknownForGood).await;
}

pub async fn a_task_between_attempts_that_is_cancelled_is_cancelled_at_once<H: Harness>(h: &H) {
    row(h, TaskStatus::Retry, Event::Cancelled).await;
}

pub async fn a_task_between_attempts_is_pending_when_its_backoff_is_over<H: Harness>(h: &H) {
    row(h, TaskStatus::Retry, Event::BackoffOver).await;
}

pub async fn a_running_task_that_returns_a_value_is_completed<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::Returned).await;
}

pub async fn a_running_task_that_says_skip_is_skipped<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::Skipped).await;
}

pub async fn a_running_task_that_fails_with_retries_left_is_tried_again<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::FailedWithRetries).await;
}

pub async fn a_running_task_that_fails_for_good_has_failed<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::FailedForGood).await;
}

pub async fn a_running_task_that_ends_after_a_cancel_is_cancelled<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::EndedCancelled).await;
}

pub async fn a_running_task_that_is_given_back_is_pending<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::Released).await;
}

pub async fn a_running_task_that_its_worker_does_not_know_is_pending<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::NameUnknown).await;
}

pub async fn a_running_task_whose_worker_dies_is_pending<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::Crashed).await;
}

pub async fn a_running_task_whose_worker_died_once_too_often_has_failed<H: Harness>(h: &H) {
    row(h, TaskStatus::Running, Event::CrashedTooOften).await;
}

pub async fn a_failed_task_that_is_replayed_is_pending<H: Harness>(h: &H) {
    row(h, TaskStatus::Failed, Event::Replayed).await;
}

pub async fn a_cancelled_task_that_is_replayed_is_pending<H: Harness>(h: &H) {
    row(h, TaskStatus::Cancelled, Event::Replayed).await;
}

/// Walks one row, and looks at the status and the counts after it.
async fn row<H: Harness>(h: &H, from: TaskStatus, event: Event) {
    let transition = TRANSITIONS.iter().find(|row| (row.from, row.event) == (from, event));
    let to = transition.expect("a row of the table").to;
    let name = format!("{from}-{event:?}");
    if walk(h, &name, from, event).await {
        let record = h.record(&name).await;
        assert_eq!(record.status, to, "{from} and {event:?}");
        let counts = (record.attempts, record.failures, record.crashes, record.releases);
        assert_eq!(counts, counts_after(from, event), "counts after {from} and {event:?}");
        assert_eq!(record.finished_at.is_some(), to.is_final(), "{from} and {event:?}");
    }
}

/// Attempts, failures, crashes, releases.
fn counts_after(from: TaskStatus, event: Event) -> (u32, u32, u32, u32) {
    use {Event as E, TaskStatus as S};
    match (from, event) {
        (S::Pending, E::Claimed) | (S::Running, E::Returned | E::Skipped) => (1, 0, 0, 0),
        (S::Pending | S::Cancelled, _) | (S::Running, E::NameUnknown) => (0, 0, 0, 0),
        (S::Running, E::Released) => (1, 0, 0, 1),
        (S::Running, E::Crashed | E::CrashedTooOften) => (1, 0, 1, 0),
        (S::Failed, E::Replayed) => (1, 0, 0, 0),
        // in this walk, what ends after a cancel is a failure
        _ => (1, 1, 0, 0),
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
