//! Tasks of a name that a worker has no code for wait for one that has.

use task_core::{Capability, FailureKind, Outcome, TaskStatus};

use crate::{Harness, sim::Sim, stage::*};

/// Rolling deploys lost good tasks of names that old workers did not know yet.
pub async fn a_task_of_an_unknown_name_waits_for_a_worker_that_knows_it_and_counts_nothing<H: Harness>(
    h: &H,
) {
    if h.lacks(Capability::UnknownNames).await {
        return;
    }
    h.send(vec![named("new", "a", options())]).await;
    let mut old = h.sim("old");
    let held = old.claim_one().await;
    old.settle(&held, Outcome::NameUnknown).await;
    let record = h.record("a").await;
    assert_eq!((record.status, record.attempts), (TaskStatus::Pending, 0));
    assert_eq!((record.failures, record.crashes, record.releases), (0, 0, 0));
    assert_eq!((record.started_at, record.worker), (None, None), "it has not run");
    assert_eq!(old.claim(9).await.len(), 0, "whoever does not know it never gets it again");
    let mut new = Sim::knowing(h.queue(), "new", &["new"]);
    assert_eq!(ids(&new.claim(9).await), ["a"]);
}

pub async fn a_name_that_no_worker_knows_for_ten_minutes_fails_its_tasks<H: Harness>(h: &H) {
    if h.lacks(Capability::UnknownNames).await {
        return;
    }
    h.send(vec![named("new", "a", options())]).await;
    let mut old = h.sim("old");
    let held = old.claim_one().await;
    old.settle(&held, Outcome::NameUnknown).await;
    h.advance(secs(500)).await;
    h.housekeeping().await;
    assert_eq!(h.status("a").await, TaskStatus::Pending);
    h.advance(secs(200)).await;
    h.housekeeping().await;
    let record = h.record("a").await;
    assert_eq!(record.status, TaskStatus::Failed);
    assert_eq!(record.error.map(|error| error.kind), Some(FailureKind::UnknownName));
}

/// A worker that is busy, or a queue that is paused, for a quarter of an hour would have failed good tasks.
pub async fn a_name_that_a_live_worker_knows_is_not_given_up<H: Harness>(h: &H) {
    if h.lacks(Capability::UnknownNames).await {
        return;
    }
    h.send(vec![named("new", "a", options())]).await;
    let mut old = h.sim("old").lease(secs(3600));
    let held = old.claim_one().await;
    old.settle(&held, Outcome::NameUnknown).await;
    let mut new = Sim::knowing(h.queue(), "new", &["new"]).lease(secs(3600));
    for _ in 0..4 {
        new.beat().await;
        h.advance(secs(300)).await;
    }
    assert_eq!(ids(&new.claim(9).await), ["a"]);
}

/// While the backend was away no worker could say what it knows.
pub async fn an_outage_gives_no_name_up<H: Harness>(h: &H) {
    if h.lacks(Capability::UnknownNames).await {
        return;
    }
    h.send(vec![named("new", "a", options())]).await;
    let mut old = h.sim("old");
    let held = old.claim_one().await;
    old.settle(&held, Outcome::NameUnknown).await;
    h.outage(secs(900)).await;
    h.housekeeping().await;
    assert_eq!(h.status("a").await, TaskStatus::Pending);
    assert_eq!(ids(&Sim::knowing(h.queue(), "new", &["new"]).claim(9).await), ["a"]);
}
