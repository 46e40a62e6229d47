//! The life and death of workers.

use super::*;
use crate::state::Cancel;

#[test]
fn what_a_worker_held_goes_to_others_when_its_lease_ends() {
    let (mut bench, mut dead, mut other) = (Bench::new(), Sim::new(&["a"]), Sim::new(&["a"]));
    bench.queued("t");
    bench.start(&mut dead, "t");
    bench.advance(secs(11));
    assert!(bench.take(&mut other, 1).is_empty());
    bench.advance(secs(1));
    assert_eq!(bench.take(&mut other, 1), ["t"]);
    assert_eq!(bench.record("t").crashes, 1);
    closed(bench.apply(&dead.next_claim(1, true)));
    let mut next = Sim { incarnation: dead.incarnation.next(), ..dead };
    assert!(bench.take(&mut next, 1).is_empty(), "it goes on under its next generation");
}

#[test]
fn a_sign_of_life_that_comes_before_anybody_reaped_renews_however_late() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.queued("t");
    let token = bench.start(&mut worker, "t");
    bench.advance(secs(60));
    assert!(!bench.beat(&worker).closed);
    bench.advance(secs(60));
    assert_eq!(bench.end("t", token, value()), SettleAnswer::Done, "good work is taken, however late");
}

#[test]
fn an_outage_is_not_a_crash() {
    // every live task was reaped and run twice after a restart elsewhere
    let (mut bench, mut alive, mut other) = (Bench::new(), Sim::new(&["a"]), Sim::new(&["a"]));
    bench.queued("t");
    bench.start(&mut alive, "t");
    bench.now = bench.now + secs(600);
    assert!(bench.take(&mut other, 1).is_empty(), "nobody is reaped at once");
    bench.advance(secs(11));
    assert!(!bench.beat(&alive).closed);
    bench.advance(secs(11));
    assert!(bench.take(&mut other, 1).is_empty());
    bench.advance(secs(1));
    assert_eq!(bench.take(&mut other, 1), ["t"], "one that did not come back in time is dead");
}

#[test]
fn a_release_closes_all_generations_for_an_hour() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.queued("t");
    bench.start(&mut worker, "t");
    assert_eq!(bench.die(&worker), 1);
    assert_eq!(bench.die(&worker), 0, "a second one has nothing to do");
    closed(bench.apply(&worker.next_claim(1, true)));
    let next = Sim { incarnation: worker.incarnation.next(), ..worker.clone() };
    assert!(bench.beat(&next).closed);
    bench.advance(secs(3601));
    assert!(!bench.beat(&next).closed);
    assert_eq!(bench.state.closed.len(), 0);
}

#[test]
fn many_tasks_of_a_dead_worker_are_given_back_in_steps_and_none_can_be_settled_meanwhile() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    for n in 0..3000 {
        bench.queued(&n.to_string());
    }
    for _ in 0..3 {
        assert_eq!(bench.take(&mut worker, 1000).len(), 1000);
    }
    assert_eq!(bench.die(&worker), 3000);
    assert!(bench.state.places.running.len() > 0);
    assert_eq!(bench.end("0", Token::new(worker.incarnation, 1), value()), SettleAnswer::Stale);
    while bench.state.places.running.len() > 0 {
        bench.apply(super::super::Stats);
    }
    let order = bench.take(&mut Sim::new(&["a"]), 1000);
    assert_eq!((order[0].as_str(), order[999].as_str()), ("0", "999"));
}

#[test]
fn a_cancel_is_told_at_each_beat_and_is_news_once() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.queued("t");
    let token = bench.start(&mut worker, "t");
    bench.apply(Cancel(id("t")));
    assert_eq!(bench.state.take_effects().told, [worker.incarnation]);
    for news in [true, false] {
        let reply = bench.beat(&worker);
        assert_eq!((reply.cancel, reply.news), (vec![(id("t"), token)], news));
    }
    bench.end("t", token, Outcome::Cancelled { reason: "told to".into() });
    assert!(bench.beat(&worker).cancel.is_empty());
}
