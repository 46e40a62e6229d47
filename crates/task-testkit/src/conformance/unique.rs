//! A unique key is held exactly as long as its task is live.

use task_core::{Capability, Command, ControlAnswer, Enqueued, Outcome};

use crate::{
    Harness,
    sim::{failed, retry},
    stage::*,
};

/// Locks outlived deleted tasks, and a state that was left out blocked all retries.
pub async fn a_key_is_free_as_soon_as_its_task_is_cancelled_purged_expired_or_crashed_for_good<H: Harness>(
    h: &H,
) {
    if h.lacks(Capability::UniqueKeys).await {
        return;
    }
    let unique = || options().unique("key");
    let is_held_by = async |owner: &str| {
        let answer = h.send(vec![task("other", unique())]).await;
        assert_eq!(answer, [Enqueued::DuplicateOf(id(owner))]);
    };
    if !h.lacks(Capability::Cancel).await {
        h.put("cancelled", unique()).await;
        is_held_by("cancelled").await;
        h.cancel("cancelled").await;
    }
    if !h.lacks(Capability::Purge).await {
        h.put("purged", unique()).await;
        is_held_by("purged").await;
        h.control(Command::Purge).await;
    }
    if !h.lacks(Capability::Expiry).await {
        h.put("expired", unique().expires(secs(60))).await;
        is_held_by("expired").await;
        h.advance(secs(90)).await;
        h.housekeeping().await;
    }
    h.put("crashed", unique().max_crashes(0)).await;
    let mut worker = h.sim("w");
    worker.claim_one().await;
    is_held_by("crashed").await;
    worker.release().await;
    h.put("last", unique()).await;
}

pub async fn a_key_is_held_through_retries_releases_and_crashes<H: Harness>(h: &H) {
    if h.lacks(Capability::UniqueKeys).await {
        return;
    }
    let unique = || options().unique("key");
    h.put("a", unique()).await;
    let mut worker = h.sim("w").lease(secs(3600));
    for end in [retry(secs(1)), Outcome::Released] {
        let held = worker.claim_one().await;
        worker.settle(&held, end).await;
        assert_eq!(h.send(vec![task("b", unique())]).await, [Enqueued::DuplicateOf(id("a"))]);
        h.advance(secs(2)).await;
    }
    worker.claim_one().await;
    worker.release().await;
    assert_eq!(h.send(vec![task("b", unique())]).await, [Enqueued::DuplicateOf(id("a"))]);
}

pub async fn a_key_is_unique_among_tasks_of_its_name_or_in_its_whole_queue<H: Harness>(h: &H) {
    if h.lacks(Capability::UniqueKeys).await {
        return;
    }
    let own = || options().unique("key");
    let whole = || options().unique_in_queue("key");
    let messages = vec![
        named("one", "a", own()),
        named("two", "b", own()),
        named("one", "c", own()),
        named("one", "d", whole()),
        named("two", "e", whole()),
    ];
    let duplicate = |owner| Enqueued::DuplicateOf(id(owner));
    use Enqueued::Queued;
    let answers = h.send(messages).await;
    assert_eq!(answers, [Queued, Queued, duplicate("a"), Queued, duplicate("d")]);
}

pub async fn of_one_batch_only_the_first_task_gets_the_key<H: Harness>(h: &H) {
    if h.lacks(Capability::UniqueKeys).await {
        return;
    }
    let batch = ["a", "b"].map(|id| task(id, options().unique("key"))).to_vec();
    assert_eq!(h.send(batch).await, [Enqueued::Queued, Enqueued::DuplicateOf(id("a"))]);
    assert_eq!(h.lookup("b").await, task_core::Lookup::NotFound);
}

pub async fn a_replay_takes_the_key_again_or_says_who_holds_it<H: Harness>(h: &H) {
    if h.lacks(Capability::UniqueKeys).await || h.lacks(Capability::Replay).await {
        return;
    }
    let unique = || options().unique("key");
    h.put("a", unique()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.settle(&held, failed()).await;
    h.put("b", unique()).await;
    assert_eq!(h.control(Command::Replay(id("a"))).await, ControlAnswer::DuplicateOf(id("b")));
    assert_eq!(h.record("a").await.generation, 0, "nothing has changed");
    let held = worker.claim_one().await;
    worker.complete(&held).await;
    assert_eq!(h.control(Command::Replay(id("a"))).await, ControlAnswer::Done(1));
    assert_eq!(h.send(vec![task("c", unique())]).await, [Enqueued::DuplicateOf(id("a"))]);
}

pub async fn a_key_is_free_after_its_task_was_deleted<H: Harness>(h: &H) {
    if h.lacks(Capability::UniqueKeys).await || h.lacks(Capability::Delete).await {
        return;
    }
    let unique = || options().unique("key");
    h.put("a", unique()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.settle(&held, failed()).await;
    h.control(Command::Delete(id("a"))).await;
    h.put("a", unique()).await;
    assert_eq!(h.send(vec![task("b", unique())]).await, [Enqueued::DuplicateOf(id("a"))]);
}
