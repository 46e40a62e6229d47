//! The checker bites: each way to break a promise is seen in a history that is otherwise in order.

use std::collections::BTreeMap;

use chaos::{Event, Line};
use task_core::{
    CancelAnswer, Failure, FailureKind, Outcome, QueueStats, ResultMessage, TaskMessage, TaskOptions,
    TaskStatus, Timestamp, encode,
};

use crate::{
    check::History,
    load::{Cancel, Entry, Kind},
    stage::Q,
};

/// Two quick tasks one after the other, and one that failed once.
struct Told {
    entries: Vec<Entry>,
    lines: Vec<Line>,
    records: BTreeMap<String, ResultMessage>,
    seen: Vec<ResultMessage>,
    stats: QueueStats,
    victims: Vec<u32>,
}

const WORKER: u32 = 7;

fn entry(id: &str, kind: Kind, batch: usize) -> Entry {
    let (id, cancel) = (id.to_owned(), Cancel::NotAsked);
    Entry { id, kind, priority: 50, delayed: false, app: 0, batch, acked: Some(1000), cancel }
}

/// What is known of it after these outcomes, one a second.
fn record(id: &str, start: u64, outcomes: &[Outcome]) -> ResultMessage {
    let message = TaskMessage::new(id.parse().unwrap(), "quick", vec![0xc0], TaskOptions::default()).unwrap();
    let mut record = ResultMessage::pending(&message, Timestamp::from_millis(start));
    for (second, outcome) in outcomes.iter().enumerate() {
        record.attempts += 1;
        record.status = TaskStatus::Running;
        record.started_at = Some(Timestamp::from_millis(start + 1000 * second as u64));
        record = record.settled(outcome, Timestamp::from_millis(start + 1000 * second as u64 + 500));
    }
    record
}

fn returned(attempt: u32) -> Outcome {
    Outcome::Completed { result: encode(&attempt).unwrap().into() }
}

fn run(id: &str, attempt: u32, at: u64) -> [Line; 2] {
    let line = |event, at| Line { at, pid: WORKER, id: id.to_owned(), attempt, event };
    [line(Event::Start, at), line(Event::End, at + 1)]
}

impl Told {
    fn in_order() -> Self {
        let retry = Outcome::Retry {
            error: Failure::new(FailureKind::Error, "not yet"),
            delay: std::time::Duration::from_millis(100),
        };
        let records = [
            record("a", 1000, &[returned(1)]),
            record("b", 2000, &[returned(1)]),
            record("c", 3000, &[retry, returned(2)]),
        ];
        let mut stats = QueueStats::new(Q);
        stats.completed = 3;
        (stats.totals.enqueued, stats.totals.completed, stats.totals.retried) = (3, 3, 1);
        Self {
            entries: vec![
                entry("a", Kind::Quick, 0),
                entry("b", Kind::Quick, 1),
                entry("c", Kind::Flaky(1), 2),
            ],
            lines: [run("a", 1, 1000), run("b", 1, 2000), run("c", 1, 3000), run("c", 2, 4000)].concat(),
            records: records.into_iter().map(|record| (record.id.to_string(), record)).collect(),
            seen: vec![record("a", 1000, &[returned(1)])],
            stats,
            victims: Vec::new(),
        }
    }

    fn violations(&self) -> Vec<String> {
        let Self { entries, lines, records, seen, stats, victims } = self;
        let (losses, clock_is_true) = (&[], true);
        History { entries, lines, records, seen, stats, victims, losses, clock_is_true }.violations()
    }

    fn record(&mut self, id: &str) -> &mut ResultMessage {
        self.records.get_mut(id).unwrap()
    }
}

type Flaw = (&'static str, fn(&mut Told));

/// What is said of a history, and how it comes to that.
const FLAWS: &[Flaw] = &[
    ("lost", |told| drop(told.records.remove("a"))),
    ("are counted", |told| told.stats.totals.enqueued += 1),
    ("are counted", |told| told.stats.completed -= 1),
    ("are counted", |told| told.stats.totals.retried = 0),
    ("was run 2 times", |told| told.lines.extend(run("a", 1, 5000))),
    ("was run and not counted", |told| told.lines.extend(run("a", 2, 5000))),
    ("the queue doesn't know it", |told| told.lines.extend(run("z", 1, 5000))),
    ("ended without a run", |told| told.lines.retain(|line| line.id != "b")),
    ("ended without a run", |told| told.lines.retain(|line| line.event == Event::Start)),
    ("claims that nothing accounts for", |told| told.record("a").attempts = 2),
    ("claims that nothing accounts for", |told| told.record("c").failures = 0),
    ("not that of the last claim", |told| {
        told.record("c").result = Some(encode(&1u32).unwrap().into());
    }),
    ("a result was overwritten", |told| told.seen[0].attempts = 2),
    ("taken from a live worker", |told| {
        // its claim ended by a crash, and its process lives
        let c = told.record("c");
        (c.failures, c.crashes) = (0, 1);
        told.victims.push(WORKER + 1);
    }),
    ("no process died", |told| {
        let c = told.record("c");
        (c.failures, c.crashes) = (0, 1);
    }),
    ("started", |told| told.record("a").started_at = Some(Timestamp::from_millis(2500))),
    ("ended as", |told| told.entries[0].kind = Kind::Skipped),
    ("ended as", |told| told.record("a").status = TaskStatus::Pending),
    ("was cancelled, and is", |told| {
        told.entries[0].cancel = Cancel::Answered(CancelAnswer::Cancelled);
    }),
    ("follow-ups", |told| told.entries[0].kind = Kind::Parent(2)),
    ("follow-ups", |told| drop(told.entries.remove(0))),
];

#[test]
fn a_run_in_which_all_is_in_order_is_not_complained_of() {
    assert_eq!(Told::in_order().violations(), Vec::<String>::new());
}

#[test]
fn each_broken_promise_is_complained_of() {
    for (number, (said, flaw)) in FLAWS.iter().enumerate() {
        let mut told = Told::in_order();
        flaw(&mut told);
        let violations = told.violations();
        assert!(violations.iter().any(|one| one.contains(said)), "flaw {number}, {said}: {violations:?}");
    }
}
