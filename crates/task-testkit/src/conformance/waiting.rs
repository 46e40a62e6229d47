//! Who waits is woken.

use std::time::{Duration, Instant};

use task_core::{Capability, Lookup, Queue as _, TaskStatus};

use crate::{Harness, stage::*};

/// A wait that is much longer than what a push takes, and half of it.
const LONG: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(4);

pub async fn a_claim_that_waits_is_woken_by_an_enqueue<H: Harness>(h: &H) {
    let mut worker = h.sim("w");
    let mut claim = worker.next_claim(1);
    claim.wait = LONG;
    let start = Instant::now();
    let waits = async { (h.queue().dequeue(claim).await.expect("an answer"), start.elapsed()) };
    let enqueues = async {
        tokio::task::yield_now().await;
        h.put("a", options()).await;
    };
    let ((claimed, after), ()) = tokio::join!(waits, enqueues);
    assert_eq!(ids(&claimed.tasks), ["a"]);
    assert!(after < SOON, "it was woken after {after:?}");
}

pub async fn a_wait_for_a_result_ends_when_its_task_does<H: Harness>(h: &H) {
    if h.lacks(Capability::Push).await {
        return;
    }
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    let start = Instant::now();
    let task = id("a");
    let waits = async { (h.queue().wait(&QUEUE, &task, LONG).await.expect("an answer"), start.elapsed()) };
    let settles = async {
        tokio::task::yield_now().await;
        worker.complete(&held).await;
    };
    let ((found, after), ()) = tokio::join!(waits, settles);
    assert!(matches!(found, Lookup::Found(record) if record.status == TaskStatus::Completed));
    assert!(after < SOON, "it was told after {after:?}");
}

pub async fn a_wait_for_a_task_that_is_not_there_is_answered_at_once<H: Harness>(h: &H) {
    let start = Instant::now();
    let found = h.queue().wait(&QUEUE, &id("nobody"), LONG).await.expect("an answer");
    assert_eq!(found, Lookup::NotFound);
    assert!(start.elapsed() < SOON);
}
