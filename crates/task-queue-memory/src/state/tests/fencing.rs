//! Tokens, claims and settlements that come again.

use super::*;
use crate::state::Replay;

#[test]
fn a_worker_that_lost_a_task_can_change_nothing_of_it() {
    let (mut bench, mut first, mut second) = (Bench::new(), Sim::new(&["a"]), Sim::new(&["a"]));
    bench.queued("t");
    let old = bench.start(&mut first, "t");
    bench.die(&first);
    let new = bench.start(&mut second, "t");
    assert_eq!(bench.end("t", old, value()), SettleAnswer::Stale);
    assert_eq!(bench.status("t"), TaskStatus::Running);
    assert_eq!(bench.end("t", new, value()), SettleAnswer::Done);
}

#[test]
fn a_settlement_that_is_sent_again_is_known_until_the_task_goes_on() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.queued("t");
    let first = bench.start(&mut worker, "t");
    let failed = || Outcome::Failed { error: error() };
    assert_eq!(bench.end("t", first, failed()), SettleAnswer::Done);
    assert_eq!(bench.end("t", first, failed()), SettleAnswer::AlreadyDone);
    assert_eq!(bench.end("t", first, value()), SettleAnswer::Stale, "another end is not this one");
    bench.apply(Replay(id("t")));
    let second = bench.start(&mut worker, "t");
    assert_eq!(bench.end("t", first, failed()), SettleAnswer::Stale);
    assert_eq!(bench.end("t", second, value()), SettleAnswer::Done);
    assert_eq!(bench.record("t").attempts, 2);
}

#[test]
fn a_claim_that_is_sent_again_brings_the_same_tasks() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    (1..=4).for_each(|n| bench.queued(&n.to_string()));
    let first = worker.next_claim(2, true);
    assert_eq!(ids(&bench.apply(&first).unwrap()), ["1", "2"]);
    assert_eq!(ids(&bench.apply(&first).unwrap()), ["1", "2"]);
    bench.end("1", first.token(), value());
    assert_eq!(ids(&bench.apply(&first).unwrap()), ["2"], "only what it still holds");
    assert_eq!(bench.record("2").attempts, 1);
}

#[test]
fn an_answered_or_a_very_old_claim_brings_nothing() {
    let (mut bench, worker) = (Bench::new(), Sim::new(&["a"]));
    (1..=20).for_each(|n| bench.queued(&n.to_string()));
    let claim = |number, acked| {
        let mut claim = worker.claim(number, 1, true);
        claim.acked = acked;
        claim
    };
    for number in 1..=9 {
        assert_eq!(ids(&bench.apply(&claim(number, 0)).unwrap()), [number.to_string()]);
    }
    assert!(bench.apply(&claim(1, 0)).unwrap().tasks.is_empty(), "the last eight are remembered");
    assert_eq!(ids(&bench.apply(&claim(2, 0)).unwrap()), ["2"]);
    assert!(bench.apply(&claim(9, 9)).unwrap().tasks.is_empty());
    assert_eq!(ids(&bench.apply(&claim(10, 9)).unwrap()), ["10"]);
}

#[test]
fn a_claim_that_brought_nothing_may_bring_something_when_it_comes_again() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    let claim = worker.next_claim(1, true);
    assert!(bench.apply(&claim).unwrap().tasks.is_empty());
    bench.queued("t");
    assert_eq!(ids(&bench.apply(&claim).unwrap()), ["t"]);
}

#[test]
fn progress_under_an_old_token_changes_nothing() {
    let (mut bench, mut first, mut second) = (Bench::new(), Sim::new(&["a"]), Sim::new(&["a"]));
    bench.queued("t");
    let old = bench.start(&mut first, "t");
    bench.end("t", old, Outcome::Released);
    let new = bench.start(&mut second, "t");
    let mut say = |worker: &Sim, token, note: &str| {
        let progress = task_core::Progress::new(0.5, note, Timestamp::default());
        let progress = vec![task_core::ProgressUpdate::new(id("t"), token, progress)];
        let registration = worker.registration.clone();
        bench.apply(Beat {
            worker: worker.incarnation,
            registration,
            heard: 0,
            holds: None,
            busy: 1,
            progress,
        });
        bench.record("t").progress.map(|progress| (progress.note, progress.at == bench.now))
    };
    assert_eq!(say(&first, old, "old"), None);
    assert_eq!(say(&second, new, "new"), Some(("new".into(), true)));
}
