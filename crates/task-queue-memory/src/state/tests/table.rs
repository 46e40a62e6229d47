//! Every row of the table of states.

use task_core::{CancelAnswer, ControlAnswer, Event, TRANSITIONS};

use super::*;
use crate::state::{Cancel, Purge, Replay};

/// Brings a task `t` into this status.
fn bring(bench: &mut Bench, worker: &mut Sim, status: TaskStatus, options: TaskOptions) -> Option<Token> {
    bench.enqueue("t", options);
    if status == TaskStatus::Pending {
        return None;
    }
    let token = bench.start(worker, "t");
    let outcome = match status {
        TaskStatus::Retry => Outcome::Retry { error: error(), delay: secs(3) },
        TaskStatus::Failed => Outcome::Failed { error: error() },
        TaskStatus::Cancelled => Outcome::Cancelled { reason: "told to".into() },
        _ => return Some(token),
    };
    assert_eq!(bench.end("t", token, outcome), SettleAnswer::Done);
    Some(token)
}

/// Makes an event happen to the task `t`.
fn happen(bench: &mut Bench, worker: &mut Sim, from: TaskStatus, event: Event, token: Option<Token>) {
    let end = |bench: &mut Bench, outcome| {
        assert_eq!(bench.end("t", token.unwrap(), outcome), SettleAnswer::Done);
    };
    match event {
        Event::Claimed => drop(bench.start(worker, "t")),
        Event::Expired => bench.advance(secs(10)),
        Event::Cancelled if from == TaskStatus::Pending => {
            assert_eq!(bench.apply(Cancel(id("t"))), CancelAnswer::Cancelled);
        }
        Event::Cancelled => assert_eq!(bench.apply(Purge(10)), 1),
        Event::BackoffOver => bench.advance(secs(3)),
        Event::Returned => end(bench, value()),
        Event::Skipped => end(bench, Outcome::Skipped { reason: "nothing to do".into() }),
        Event::FailedWithRetries => end(bench, Outcome::Retry { error: error(), delay: secs(3) }),
        Event::FailedForGood => end(bench, Outcome::Failed { error: error() }),
        Event::EndedCancelled => {
            assert_eq!(bench.apply(Cancel(id("t"))), CancelAnswer::Requested);
            end(bench, Outcome::Failed { error: error() });
        }
        Event::Released => end(bench, Outcome::Released),
        Event::NameUnknown => end(bench, Outcome::NameUnknown),
        Event::NameUnknownForGood => {
            let token = bench.start(worker, "t");
            assert_eq!(bench.end("t", token, Outcome::NameUnknown), SettleAnswer::Done);
            bench.die(worker);
            bench.advance(secs(611));
        }
        Event::Crashed => assert_eq!(bench.die(worker), 1),
        Event::CrashedTooOften => {
            for _ in 0..3 {
                assert_eq!(bench.die(worker), 1);
                *worker = Sim::new(&["a"]);
                bench.start(worker, "t");
            }
            assert_eq!(bench.die(worker), 1);
        }
        Event::Replayed => assert_eq!(bench.apply(Replay(id("t"))), ControlAnswer::Done(1)),
    }
}

#[test]
fn each_event_moves_a_task_as_the_table_says() {
    for row in TRANSITIONS {
        let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
        let options = match row.event {
            Event::Expired => TaskOptions::default().expires(secs(10)),
            _ => TaskOptions::default(),
        };
        let token = bring(&mut bench, &mut worker, row.from, options);
        assert_eq!(bench.status("t"), row.from, "{row:?}");
        happen(&mut bench, &mut worker, row.from, row.event, token);
        assert_eq!(bench.status("t"), row.to, "{row:?}");
    }
}

#[test]
fn each_end_counts_what_it_is_and_nothing_else() {
    let counts = |event| {
        let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
        let token = bring(&mut bench, &mut worker, TaskStatus::Running, TaskOptions::default());
        happen(&mut bench, &mut worker, TaskStatus::Running, event, token);
        let record = bench.record("t");
        [record.attempts, record.failures, record.crashes, record.releases]
    };
    assert_eq!(counts(Event::Returned), [1, 0, 0, 0]);
    assert_eq!(counts(Event::FailedWithRetries), [1, 1, 0, 0]);
    assert_eq!(counts(Event::Released), [1, 0, 0, 1]);
    assert_eq!(counts(Event::NameUnknown), [0, 0, 0, 0]);
    assert_eq!(counts(Event::Crashed), [1, 0, 1, 0]);
    assert_eq!(counts(Event::CrashedTooOften), [4, 0, 4, 0]);
}

#[test]
fn a_replay_keeps_the_history_and_counts_anew() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bring(&mut bench, &mut worker, TaskStatus::Failed, TaskOptions::default().unique("k"));
    bench.apply(Replay(id("t")));
    let record = bench.record("t");
    assert_eq!((record.generation, record.attempts, record.failures), (1, 1, 0));
    assert_eq!((record.errors.len(), record.error, record.finished_at), (1, None, None));
    let again = bench.enqueue("other", TaskOptions::default().unique("k"));
    assert_eq!(again, Enqueued::DuplicateOf(id("t")), "the unique key is taken again");
}

#[test]
fn a_task_that_was_asked_to_cancel_is_cancelled_when_its_worker_dies() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bring(&mut bench, &mut worker, TaskStatus::Running, TaskOptions::default());
    bench.apply(Cancel(id("t")));
    bench.die(&worker);
    assert_eq!(bench.status("t"), TaskStatus::Cancelled);
}

#[test]
fn at_most_once_means_that_the_first_crash_fails_it() {
    let (mut bench, mut worker) = (Bench::new(), Sim::new(&["a"]));
    bring(&mut bench, &mut worker, TaskStatus::Running, TaskOptions::default().max_crashes(0));
    bench.die(&worker);
    let record = bench.record("t");
    assert_eq!((record.status, record.error.unwrap().kind), (TaskStatus::Failed, FailureKind::Crashed));
}
