//! A worker that has lost a task can change nothing of it.

use task_core::{SettleAnswer, TaskStatus};

use crate::{
    Harness,
    sim::{completed, failed, retry, skipped},
    stage::*,
};

pub async fn a_settlement_sent_again_is_already_done_and_changes_nothing<H: Harness>(h: &H) {
    for (n, outcome) in [completed(1), skipped(), failed()].into_iter().enumerate() {
        let id = format!("t{n}");
        h.put(&id, options()).await;
        let mut worker = h.sim("w");
        let delivery = worker.claim_one().await;
        assert_eq!(worker.settle(&delivery, outcome.clone()).await, SettleAnswer::Done);
        let after = h.record(&id).await;
        assert_eq!(worker.settle(&delivery, outcome).await, SettleAnswer::AlreadyDone);
        assert_eq!(h.record(&id).await, after);
    }
}

pub async fn a_retry_sent_again_is_already_done_and_counts_once<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let delivery = worker.claim_one().await;
    assert_eq!(worker.settle(&delivery, retry(secs(60))).await, SettleAnswer::Done);
    assert_eq!(worker.settle(&delivery, retry(secs(60))).await, SettleAnswer::AlreadyDone);
    let record = h.record("a").await;
    assert_eq!((record.status, record.failures), (TaskStatus::Retry, 1));
}

/// A zombie that wakes up after its task was given to another one would end that one's attempt.
pub async fn a_worker_that_was_released_can_not_settle_what_it_held<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut zombie, mut heir) = (h.sim("zombie"), h.sim("heir"));
    let lost = zombie.claim_one().await;
    assert_eq!(zombie.release().await, 1);
    for outcome in [completed(1), retry(secs(1)), failed(), skipped()] {
        assert_eq!(zombie.settle(&lost, outcome).await, SettleAnswer::Stale);
    }
    assert_eq!(h.status("a").await, TaskStatus::Pending);
    let held = heir.claim_one().await;
    for outcome in [completed(1), retry(secs(1)), failed(), skipped()] {
        assert_eq!(zombie.settle(&lost, outcome).await, SettleAnswer::Stale);
    }
    assert_eq!(h.status("a").await, TaskStatus::Running);
    assert_eq!(heir.settle(&held, completed(2)).await, SettleAnswer::Done);
    assert_eq!(h.record("a").await.result.as_deref(), Some(&[2][..]));
}

pub async fn the_token_of_an_earlier_attempt_is_stale<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let first = worker.claim_one().await;
    worker.settle(&first, retry(secs(0))).await;
    h.advance(secs(1)).await;
    let second = worker.claim_one().await;
    assert_ne!(first.token, second.token);
    assert_eq!(worker.settle(&first, completed(1)).await, SettleAnswer::Stale);
    assert_eq!(worker.settle(&second, completed(2)).await, SettleAnswer::Done);
    let record = h.record("a").await;
    assert_eq!((record.result.as_deref(), record.attempts), (Some(&[2][..]), 2));
}
