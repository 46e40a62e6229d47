//! Which task goes to whom, and when.

use super::*;
use crate::state::{Cancel, SetPaused};

#[test]
fn the_highest_priority_goes_first_and_first_in_first_out_within_one() {
    let mut bench = Bench::new();
    for (text, priority) in [("a1", 50), ("low", 10), ("high", 90), ("a2", 50)] {
        bench.enqueue(text, TaskOptions::default().priority(priority));
    }
    assert_eq!(bench.take(&mut Sim::new(&["a"]), 9), ["high", "a1", "a2", "low"]);
}

#[test]
fn what_is_given_back_lies_at_the_front_in_its_old_order() {
    let (mut bench, mut first) = (Bench::new(), Sim::new(&["a"]));
    (1..=5).for_each(|n| bench.queued(&n.to_string()));
    assert_eq!(bench.take(&mut first, 3), ["1", "2", "3"]);
    bench.die(&first);
    assert_eq!(bench.take(&mut Sim::new(&["a"]), 9), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_delayed_task_starts_at_its_time_and_not_before() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.enqueue("t", TaskOptions::default().delay(secs(4)));
    let granted = bench.apply(&worker.next_claim(1, true)).unwrap();
    assert_eq!((granted.tasks.len(), granted.next_wake), (0, Some(secs(4))));
    bench.now = bench.now + Duration::from_millis(3_999);
    assert!(bench.take(&mut worker, 1).is_empty());
    bench.now = bench.now + Duration::from_millis(1);
    assert_eq!(bench.take(&mut worker, 1), ["t"]);
}

#[test]
fn a_claim_brings_as_many_bytes_as_it_asks_for_and_at_least_one_task() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    (1..=3).for_each(|n| bench.queued(&n.to_string()));
    let mut claim = worker.next_claim(9, true);
    claim.max_bytes = 1;
    let granted = bench.apply(&claim).unwrap();
    assert_eq!((ids(&granted), granted.more), (vec!["1".to_owned()], true));
}

#[test]
fn a_paused_queue_gives_nothing_out_and_expires_and_promotes_meanwhile() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.apply(SetPaused(true));
    bench.enqueue("stale", TaskOptions::default().expires(secs(1)));
    bench.enqueue("later", TaskOptions::default().delay(secs(1)));
    bench.advance(secs(1));
    let granted = bench.apply(&worker.next_claim(9, true)).unwrap();
    assert!(granted.tasks.is_empty() && granted.paused);
    assert_eq!(bench.record("stale").error.unwrap().kind, FailureKind::Expired);
    bench.state.take_effects();
    bench.apply(SetPaused(false));
    assert!(bench.state.take_effects().ready, "a resume wakes");
    assert_eq!(bench.take(&mut worker, 9), ["later"]);
}

#[test]
fn what_expired_is_not_given_out_also_where_the_sweep_is_behind() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    for n in 0..300 {
        bench.enqueue(&n.to_string(), TaskOptions::default().expires(secs(1)));
    }
    bench.queued("fresh");
    bench.now = bench.now + secs(1);
    assert_eq!(bench.take(&mut worker, 9), ["fresh"]);
}

#[test]
fn a_task_that_started_once_does_not_expire_any_more() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.enqueue("t", TaskOptions::default().expires(secs(5)));
    let token = bench.start(&mut worker, "t");
    bench.end("t", token, Outcome::Retry { error: error(), delay: secs(20) });
    bench.advance(secs(20));
    assert_eq!(bench.take(&mut Sim::new(&["a"]), 1), ["t"]);
}

#[test]
fn a_task_of_an_unknown_name_waits_for_a_worker_that_knows_it() {
    // a rolling deploy: the old workers must neither lose the new task nor fetch it again and again
    let (mut bench, mut old, mut new) = (Bench::new(), Sim::new(&["b"]), Sim::new(&["a", "b"]));
    bench.queued("t");
    let token = bench.start(&mut old, "t");
    bench.end("t", token, Outcome::NameUnknown);
    assert!(bench.take(&mut old, 9).is_empty());
    assert_eq!(bench.take(&mut new, 9), ["t"]);
    assert_eq!(bench.state.in_unknown(), 0);
}

#[test]
fn a_suspect_runs_alone_and_one_worker_at_a_time_is_asked_to_run_empty() {
    // one poison job failed 63 neighbours elsewhere
    let (mut bench, mut busy, mut other) = (Bench::new(), Sim::new(&["a"]), Sim::new(&["a"]));
    bench.queued("poison");
    for _ in 0..2 {
        let mut victim = Sim::new(&["a"]);
        bench.start(&mut victim, "poison");
        bench.die(&victim);
    }
    (1..=4).for_each(|n| bench.queued(&n.to_string()));
    let claim = |bench: &mut Bench, worker: &mut Sim, idle| {
        let granted = bench.apply(&worker.next_claim(1, idle)).unwrap();
        (ids(&granted), granted.run_empty)
    };
    let mut working = Sim::new(&["a"]);
    assert_eq!(claim(&mut bench, &mut busy, false), (vec!["1".into()], true), "the first is asked");
    assert_eq!(claim(&mut bench, &mut working, false), (vec!["2".into()], false), "the queue keeps moving");
    assert!(bench.beat(&busy).run_empty && !bench.beat(&working).run_empty);
    assert_eq!(claim(&mut bench, &mut other, true), (vec!["poison".into()], false), "an idle one takes it");
    assert!(!bench.beat(&busy).run_empty, "nobody needs to run empty any more");
    let barred = bench.apply(&other.next_claim(9, true)).unwrap();
    assert!(barred.tasks.is_empty() && barred.barred, "nothing is claimed beside a suspect");
    let poisoned = Token::new(other.incarnation, other.claims - 1);
    bench.end("poison", poisoned, value());
    assert_eq!(claim(&mut bench, &mut other, true), (vec!["3".into()], false));
}

#[test]
fn a_cancelled_task_leaves_no_entry_behind() {
    // entries that outlived their task ran it early after a replay
    let mut bench = Bench::new();
    bench.enqueue("ready", TaskOptions::default().expires(secs(100)));
    bench.enqueue("delayed", TaskOptions::default().delay(secs(9)));
    bench.apply(Cancel(id("ready")));
    bench.apply(Cancel(id("delayed")));
    let places = &bench.state.places;
    assert_eq!((bench.state.waiting(), places.expiring.len(), bench.state.next_event()), (0, 0, None));
}
