//! Who waits is woken.

use std::time::Instant;

use task_core::{
    CancelAnswer, Capability, Claim, Command, ControlAnswer, Lookup, Outcome, Queue as _, SettleAnswer,
    TaskStatus,
};

use crate::{
    Harness,
    sim::{Sim, failed},
    stage::*,
};

/// Lets a claim wait, does something, and answers which tasks the claim got for it.
pub(super) async fn woken_by<H: Harness>(h: &H, claim: Claim, act: impl AsyncFnOnce()) -> Vec<String> {
    let start = Instant::now();
    let mut claim = claim;
    claim.wait = LONG;
    let waits = async { (h.queue().dequeue(claim).await.expect("an answer"), start.elapsed()) };
    let acts = async {
        tokio::task::yield_now().await;
        act().await;
    };
    let ((claimed, after), ()) = tokio::join!(waits, acts);
    assert!(after < SOON, "it was woken after {after:?}");
    ids(&claimed.tasks)
}

pub async fn a_claim_that_waits_is_woken_by_an_enqueue<H: Harness>(h: &H) {
    let claim = h.sim("w").next_claim(1);
    assert_eq!(woken_by(h, claim, async || h.put("a", options()).await).await, ["a"]);
}

pub async fn a_claim_that_waits_is_woken_by_a_resume<H: Harness>(h: &H) {
    if h.lacks(Capability::Pause).await {
        return;
    }
    h.put("a", options()).await;
    h.control(Command::Pause).await;
    let claim = h.sim("w").next_claim(1);
    let resume = async || assert_eq!(h.control(Command::Resume).await, ControlAnswer::Done(0));
    assert_eq!(woken_by(h, claim, resume).await, ["a"]);
}

pub async fn a_claim_that_waits_is_woken_when_a_delayed_task_is_due<H: Harness>(h: &H) {
    if h.lacks(Capability::Delays).await {
        return;
    }
    let claim = h.sim("w").next_claim(1);
    let delay = async || {
        h.put("a", options().delay(secs(1))).await;
        h.advance(secs(1)).await; // a backend whose clock goes by itself has a second more for it
    };
    assert_eq!(woken_by(h, claim, delay).await, ["a"]);
}

pub async fn a_claim_that_waits_is_woken_by_what_another_worker_gives_back<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut other, mut worker) = (h.sim("other"), h.sim("w"));
    let held = other.claim_one().await;
    let settle = async || assert_eq!(other.settle(&held, Outcome::Released).await, SettleAnswer::Done);
    assert_eq!(woken_by(h, worker.next_claim(1), settle).await, ["a"]);
}

pub async fn a_claim_that_waits_is_woken_by_the_release_of_another_worker<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut dead, mut worker) = (h.sim("dead"), h.sim("w"));
    dead.claim_one().await;
    assert_eq!(woken_by(h, worker.next_claim(1), async || assert_eq!(dead.release().await, 1)).await, ["a"]);
}

pub async fn a_claim_that_waits_is_woken_by_a_replay<H: Harness>(h: &H) {
    if h.lacks(Capability::Replay).await {
        return;
    }
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.settle(&held, failed()).await;
    let replay = async || assert_eq!(h.control(Command::Replay(id("a"))).await, ControlAnswer::Done(1));
    assert_eq!(woken_by(h, worker.next_claim(1), replay).await, ["a"]);
}

pub async fn a_claim_that_waits_is_woken_for_a_name_that_its_worker_alone_knows<H: Harness>(h: &H) {
    if h.lacks(Capability::UnknownNames).await {
        return;
    }
    h.send(vec![named("new", "a", options())]).await;
    let (mut old, mut new) = (h.sim("old"), Sim::knowing(h.queue(), "new", &["new"]));
    new.beat().await;
    let held = old.claim_one().await;
    let settle = async || assert_eq!(old.settle(&held, Outcome::NameUnknown).await, SettleAnswer::Done);
    assert_eq!(woken_by(h, new.next_claim(1), settle).await, ["a"]);
}

pub async fn as_many_claims_are_woken_as_tasks_come_in<H: Harness>(h: &H) {
    let (mut first, mut second) = (h.sim("w1"), h.sim("w2"));
    let batch = async || drop(h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await);
    let other = second.next_claim(1);
    let (mut one, mut two) =
        tokio::join!(woken_by(h, first.next_claim(1), async || {}), woken_by(h, other, batch));
    one.append(&mut two);
    one.sort();
    assert_eq!(one, ["a", "b"]);
}

/// A worker that drops its claim does not know whether it was carried out; it sends it again, and nothing is lost.
pub async fn a_claim_that_was_dropped_while_it_waited_may_be_sent_again<H: Harness>(h: &H) {
    let mut worker = h.sim("w");
    let mut claim = worker.next_claim(1);
    claim.wait = LONG;
    let soon = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(soon, h.queue().dequeue(claim.clone())).await.is_err());
    h.put("a", options()).await;
    assert_eq!(ids(&h.queue().dequeue(claim).await.expect("an answer").tasks), ["a"]);
}

pub async fn a_claim_answers_none_when_its_wait_is_over<H: Harness>(h: &H) {
    let mut claim = h.sim("w").next_claim(1);
    claim.wait = std::time::Duration::from_millis(50);
    let start = Instant::now();
    assert_eq!(h.queue().dequeue(claim.clone()).await.expect("an answer").tasks.len(), 0);
    assert!((claim.wait..SOON).contains(&start.elapsed()), "{:?}", start.elapsed());
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

pub async fn a_wait_for_a_result_answers_how_it_stands_when_its_time_is_over<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let found = h.queue().wait(&QUEUE, &id("a"), std::time::Duration::from_millis(50)).await;
    assert!(found.expect("an answer").is_live());
}

pub async fn a_wait_for_a_task_that_is_not_there_is_answered_at_once<H: Harness>(h: &H) {
    let start = Instant::now();
    let found = h.queue().wait(&QUEUE, &id("nobody"), LONG).await.expect("an answer");
    assert_eq!(found, Lookup::NotFound);
    assert!(start.elapsed() < SOON);
}

pub async fn a_claim_waits_on_while_the_queue_is_paused<H: Harness>(h: &H) {
    if h.lacks(Capability::Pause).await {
        return;
    }
    h.control(Command::Pause).await;
    let mut claim = h.sim("w").next_claim(1);
    claim.wait = std::time::Duration::from_millis(300);
    let start = Instant::now();
    let waits = async { (h.queue().dequeue(claim.clone()).await.expect("an answer"), start.elapsed()) };
    let puts = async {
        tokio::task::yield_now().await;
        h.put("a", options()).await;
    };
    let ((claimed, after), ()) = tokio::join!(waits, puts);
    assert!(claimed.tasks.is_empty() && claimed.paused);
    assert!(after >= claim.wait, "it came back after {after:?}");
}

/// Waits for a result, does something, and asserts that the wait ends by it.
async fn ended_by<H: Harness>(h: &H, name: &str, act: impl AsyncFnOnce()) {
    let (start, task) = (Instant::now(), id(name));
    let waits = async { (h.queue().wait(&QUEUE, &task, LONG).await.expect("an answer"), start.elapsed()) };
    let acts = async {
        tokio::task::yield_now().await;
        act().await;
    };
    let ((found, after), ()) = tokio::join!(waits, acts);
    assert!(matches!(found, Lookup::Found(record) if record.status.is_final()), "{name}");
    assert!(after < SOON, "of {name} it was told after {after:?}");
}

/// Each way to an end forgot those that waited, in turn.
pub async fn a_wait_for_a_result_ends_however_its_task_ends<H: Harness>(h: &H) {
    if h.lacks(Capability::Push).await {
        return;
    }
    h.put("crashed", options().max_crashes(0)).await;
    let mut victim = h.sim("victim");
    victim.claim_one().await;
    ended_by(h, "crashed", async || assert_eq!(victim.release().await, 1)).await;
    for (name, outcome) in [("failed", failed()), ("skipped", crate::sim::skipped())] {
        h.put(name, options()).await;
        let mut worker = h.sim("w");
        let held = worker.claim_one().await;
        ended_by(h, name, async || assert_eq!(worker.settle(&held, outcome).await, SettleAnswer::Done)).await;
    }
    if !h.lacks(Capability::Cancel).await {
        h.put("cancelled", options()).await;
        ended_by(h, "cancelled", async || assert_eq!(h.cancel("cancelled").await, CancelAnswer::Cancelled))
            .await;
    }
    if !h.lacks(Capability::Purge).await {
        h.put("purged", options()).await;
        ended_by(h, "purged", async || drop(h.control(Command::Purge).await)).await;
    }
}
