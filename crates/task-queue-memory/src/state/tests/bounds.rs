//! Everything has a bound or an end.

use task_core::{ControlAnswer, Filter};

use super::*;
use crate::state::{Delete, List, Listed, Purge, Replay, SetLimit, Stats, task::Task};

fn run(bench: &mut Bench, worker: &mut Sim, text: &str, outcome: Outcome) {
    bench.queued(text);
    let token = bench.start(worker, text);
    assert_eq!(bench.end(text, token, outcome), SettleAnswer::Done);
}

#[test]
fn the_queue_returns_to_its_baseline() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    run(&mut bench, &mut worker, "done", value());
    run(&mut bench, &mut worker, "failed", Outcome::Failed { error: error() });
    bench.enqueue("stale", TaskOptions::default().unique("k").expires(secs(1)));
    bench.advance(secs(1));
    bench.apply(Stats);
    bench.advance(secs(8 * 24 * 3600));
    bench.apply(Stats);
    let state = &bench.state;
    assert_eq!((state.tasks.len(), state.locks.len(), state.workers.len()), (0, 0, 0));
    let stats = bench.apply(Stats);
    assert_eq!((stats.completed, stats.failed, stats.cancelled, stats.pending), (0, 0, 0, 0));
    bench.advance(secs(3601));
    bench.apply(Stats);
    assert_eq!((bench.state.closed.len(), bench.state.next_event()), (0, None));
}

#[test]
fn an_id_is_remembered_for_ten_minutes_also_when_its_result_is_not_kept() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.enqueue("t", TaskOptions::default().retention(secs(1)));
    let token = bench.start(&mut worker, "t");
    bench.end("t", token, value());
    bench.advance(secs(1));
    assert!(matches!(bench.apply(Look(&id("t"))), Stored::Expired));
    let again = bench.enqueue("t", TaskOptions::default());
    assert_eq!(again, Enqueued::Exists { status: TaskStatus::Completed, same: true });
    bench.advance(secs(599));
    assert!(matches!(bench.apply(Look(&id("t"))), Stored::Missing));
    bench.queued("t");
}

#[test]
fn over_the_cap_the_oldest_completed_result_goes_first_and_is_counted() {
    let mut bench = Bench::with(Limits { waiting: None, completed: 2, replayable: 1 });
    let mut worker = Sim::new(&["a"]);
    for text in ["1", "2", "3"] {
        run(&mut bench, &mut worker, text, value());
    }
    assert!(matches!(bench.apply(Look(&id("1"))), Stored::Expired));
    let stats = bench.apply(Stats);
    assert_eq!((stats.completed, stats.totals.completed, stats.totals.dropped_results), (2, 3, 1));
}

#[test]
fn a_dead_letter_over_the_cap_keeps_its_status_and_loses_its_params() {
    let mut bench = Bench::with(Limits { waiting: None, completed: 9, replayable: 1 });
    let mut worker = Sim::new(&["a"]);
    for text in ["old", "new"] {
        run(&mut bench, &mut worker, text, Outcome::Failed { error: error() });
    }
    assert_eq!(bench.apply(Replay(id("old"))), ControlAnswer::ParamsDropped);
    assert_eq!(bench.status("old"), TaskStatus::Failed);
    assert_eq!(bench.apply(Replay(id("new"))), ControlAnswer::Done(1));
}

#[test]
fn a_full_queue_refuses_new_tasks_and_goes_on_with_the_old_ones() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.apply(SetLimit(Some(1)));
    bench.queued("t");
    assert_eq!(bench.enqueue("u", TaskOptions::default()), Enqueued::Full);
    bench.start(&mut worker, "t");
    bench.queued("u");
}

#[test]
fn a_unique_key_is_free_in_the_step_that_ends_its_task_in_any_way() {
    // locks outlived deleted tasks elsewhere, and a state left out blocked all retries
    let unique = || TaskOptions::default().unique("k");
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    let owner = |bench: &mut Bench, text: &str| {
        assert_eq!(bench.enqueue(text, unique()), Enqueued::Queued, "{text}");
        assert_eq!(bench.enqueue("x", unique()), Enqueued::DuplicateOf(id(text)));
    };
    owner(&mut bench, "settled");
    let token = bench.start(&mut worker, "settled");
    bench.end("settled", token, Outcome::Retry { error: error(), delay: secs(1) });
    assert_eq!(bench.enqueue("x", unique()), Enqueued::DuplicateOf(id("settled")), "RETRY is live");
    bench.advance(secs(1));
    let token = bench.start(&mut worker, "settled");
    bench.end("settled", token, value());
    owner(&mut bench, "purged");
    bench.apply(Purge(9));
    assert_eq!(bench.enqueue("expired", unique().expires(secs(1))), Enqueued::Queued);
    bench.advance(secs(1));
    owner(&mut bench, "last");
}

#[test]
fn a_task_is_deleted_only_when_it_is_final_and_its_id_is_free_then() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bench.queued("t");
    assert_eq!(bench.apply(Delete(id("t"))), ControlAnswer::WrongStatus(TaskStatus::Pending));
    let token = bench.start(&mut worker, "t");
    bench.end("t", token, value());
    assert_eq!(bench.apply(Delete(id("t"))), ControlAnswer::Done(1));
    assert_eq!(bench.apply(Delete(id("t"))), ControlAnswer::NotFound);
    bench.queued("t");
}

#[test]
fn a_list_shows_each_task_once_whatever_its_state_and_the_size_of_the_page() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    for n in 0..5 {
        run(&mut bench, &mut worker, &format!("done{n}"), value());
    }
    bench.enqueue("later", TaskOptions::default().delay(secs(9)));
    for text in ["unknown1", "unknown2", "running"] {
        bench.queued(text);
    }
    let token = bench.start(&mut worker, "unknown1");
    bench.end("unknown1", token, Outcome::NameUnknown);
    let mut blind = Sim::new(&[]);
    let token = bench.start(&mut blind, "unknown2");
    bench.end("unknown2", token, Outcome::NameUnknown);
    bench.start(&mut blind, "running");
    bench.queued("ready");
    for limit in [1, 2, 3, 100] {
        let (mut filter, mut seen) = (Filter::new(limit), Vec::new());
        loop {
            let Listed { tasks: page, next } = bench.apply(List(filter.clone())).unwrap();
            assert!(page.len() <= limit);
            seen.extend(page.into_iter().map(|(id, _)| id.to_string()));
            filter.cursor = next;
            if filter.cursor.is_none() {
                break;
            }
        }
        let all = ["ready", "unknown1", "unknown2", "later", "running"];
        let all: Vec<&str> = all.into_iter().chain(["done4", "done3", "done2", "done1", "done0"]).collect();
        assert_eq!(seen, all, "{limit} a page");
    }
    let mut wrong = Filter::new(1);
    wrong.cursor = Some("nowhere 1".into());
    assert!(bench.apply(List(wrong)).is_err());
}

#[test]
fn a_remembered_id_takes_little_room() {
    assert!(size_of::<(TaskId, Task)>() <= 48);
}

#[test]
fn the_oldest_wait_is_found_at_whatever_priority_it_lies() {
    let mut bench = Bench::new();
    for (text, priority) in [("first", 0), ("second", 50), ("third", 100)] {
        bench.enqueue(text, TaskOptions::default().priority(priority));
        bench.advance(secs(2));
    }
    assert_eq!(bench.apply(Stats).oldest_pending_secs, Some(6.0));
    assert_eq!(bench.take(&mut Sim::new(&["a"]), 2), ["third", "second"]);
    assert_eq!(bench.apply(Stats).oldest_pending_secs, Some(6.0));
}

#[test]
fn delayed_tasks_that_come_due_at_once_are_promoted_in_bounded_steps() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    for n in 0..2_000 {
        bench.enqueue(&n.to_string(), TaskOptions::default().delay(secs(1)));
    }
    bench.now = bench.now + secs(1);
    bench.apply(Stats);
    assert_eq!(bench.state.places.ready.len(), super::super::STEP, "each request promotes some");
    assert_eq!(bench.state.next_event(), Some(bench.now), "and the next is due at once");
    let taken = (0..2_000).filter(|_| bench.take(&mut worker, 1).len() == 1).count();
    assert_eq!(taken, 2_000);
}
