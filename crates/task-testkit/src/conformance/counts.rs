//! What is counted of a task, and kept of its errors.

use task_core::{Failure, FailureKind, Outcome, TaskStatus};

use crate::{Harness, sim::completed, stage::*};

pub async fn the_last_ten_errors_of_a_task_are_kept_each_with_its_attempt<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w").lease(secs(3600));
    for n in 1..=12 {
        let held = worker.claim_one().await;
        // a long one is cut, so that a record has a bound
        let error = Failure::new(FailureKind::Error, format!("error {n} {}", "x".repeat(5000)));
        worker.settle(&held, Outcome::Retry { error, delay: secs(0) }).await;
        h.advance(secs(1)).await;
    }
    let record = h.record("a").await;
    assert_eq!((record.attempts, record.failures, record.errors.len()), (12, 12, 10));
    for (n, error) in (3..).zip(&record.errors) {
        assert_eq!((error.attempt, error.worker.as_deref()), (n, Some("w")));
        assert!(error.failure.message.starts_with(&format!("error {n} ")));
        assert!((1000..2100).contains(&error.failure.message.len()));
    }
    let held = worker.claim_one().await;
    worker.complete(&held).await;
    assert_eq!(h.record("a").await.errors.len(), 10, "its history is kept to the end");
}

pub async fn a_task_of_which_nothing_is_said_fails_at_its_fourth_crash<H: Harness>(h: &H) {
    h.put("a", options()).await;
    for crashes in 1..=4 {
        let mut worker = h.sim("w");
        worker.claim_one().await;
        worker.release().await;
        let record = h.record("a").await;
        assert_eq!((record.crashes, record.failures, record.attempts), (crashes, 0, crashes));
        assert_eq!(record.status, if crashes < 4 { TaskStatus::Pending } else { TaskStatus::Failed });
    }
}

pub async fn a_task_given_back_by_workers_that_stop_is_given_back_without_end<H: Harness>(h: &H) {
    h.put("a", options().max_crashes(0).max_retries(0)).await;
    let mut worker = h.sim("w");
    for releases in 1..=20 {
        let held = worker.claim_one().await;
        worker.settle(&held, Outcome::Released).await;
        let record = h.record("a").await;
        assert_eq!((record.status, record.releases), (TaskStatus::Pending, releases));
        assert_eq!((record.failures, record.crashes, record.errors.len()), (0, 0, 0));
    }
    let held = worker.claim_one().await;
    worker.settle(&held, completed(1)).await;
    assert_eq!(h.status("a").await, TaskStatus::Completed);
}
