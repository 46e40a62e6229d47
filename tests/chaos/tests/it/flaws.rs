//! The checker bites: each way to break a promise is seen in a history that is otherwise in order.

use std::{collections::BTreeMap, time::Duration};

use chaos::{Event, Line};
use task_core::{
    CancelAnswer, Failure, FailureKind, Outcome, QueueStats, ResultMessage, TaskMessage, TaskOptions,
    TaskStatus, Timestamp, encode,
};

use crate::{
    check::History,
    entry::{Cancel, Entry, Kind, Replay, Where},
    fleet::Victim,
    stage::Q,
};

/// Two quick tasks one after the other, one that failed once; one that holds a key and one that it kept out; one that was
/// cancelled and replayed, one that expired, and one that was enqueued for later.
struct Told {
    entries: Vec<Entry>,
    lines: Vec<Line>,
    records: BTreeMap<String, ResultMessage>,
    seen: Vec<(u64, ResultMessage)>,
    stats: QueueStats,
    victims: Vec<Victim>,
}

const WORKER: u32 = 7;
const MOMENT: Duration = Duration::from_millis(100);

fn entry(id: &str, kind: Kind, batch: usize) -> Entry {
    Entry {
        id: id.to_owned(),
        kind,
        queue: Where::Tasks,
        priority: 50,
        delay: None,
        expires: None,
        unique: None,
        app: 0,
        batch,
        sent: 0,
        acked: Some(1000),
        duplicate_of: None,
        cancel: Cancel::NotAsked,
        replay: Replay::NotAsked,
    }
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

/// It was cancelled while it waited.
fn ended(id: &str, at: u64, why: FailureKind) -> ResultMessage {
    let mut record = record(id, at, &[]);
    record.status = TaskStatus::Cancelled;
    record.error = Some(Failure::new(why, "while it waited"));
    record.finished_at = Some(Timestamp::from_millis(at));
    record
}

fn replayed(mut record: ResultMessage) -> ResultMessage {
    record.generation += 1;
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
            delay: Duration::from_millis(100),
        };
        let records = [
            record("a", 1000, &[returned(1)]),
            record("b", 2000, &[returned(1)]),
            record("c", 3000, &[retry, returned(2)]),
            record("key", 4000, &[returned(1)]),
            replayed(record("again", 5000, &[returned(1)])),
            ended("late", 6200, FailureKind::Expired),
            record("later", 7600, &[returned(1)]),
        ];
        let mut stats = QueueStats::new(Q);
        (stats.completed, stats.cancelled) = (6, 1);
        let totals = &mut stats.totals;
        (totals.enqueued, totals.completed, totals.retried) = (7, 6, 1);
        (totals.cancelled, totals.expired, totals.replayed) = (1, 1, 1);
        let times = |sent, entry| Entry { sent, acked: Some(sent + 500), ..entry };
        Self {
            entries: vec![
                entry("a", Kind::Quick, 0),
                entry("b", Kind::Quick, 1),
                entry("c", Kind::Flaky(1), 2),
                times(4_000_000, Entry { unique: Some(1), ..entry("key", Kind::Quick, 3) }),
                times(
                    4_200_000,
                    Entry {
                        unique: Some(1),
                        duplicate_of: Some("key".to_owned()),
                        ..entry("out", Kind::Quick, 4)
                    },
                ),
                times(
                    5_000_000,
                    Entry {
                        cancel: Cancel::Answered(CancelAnswer::Cancelled),
                        replay: Replay::Of(Box::new(ended("again", 5000, FailureKind::Cancelled))),
                        ..entry("again", Kind::Quick, 5)
                    },
                ),
                times(6_000_000, Entry { expires: Some(MOMENT), ..entry("late", Kind::Quick, 6) }),
                times(7_000_000, Entry { delay: Some(5 * MOMENT), ..entry("later", Kind::Quick, 7) }),
            ],
            lines: [
                run("a", 1, 1000),
                run("b", 1, 2000),
                run("c", 1, 3000),
                run("c", 2, 4000),
                run("key", 1, 4_000_000),
                run("again", 1, 5_000_000),
                run("later", 1, 7_600_000),
            ]
            .concat(),
            records: records.into_iter().map(|record| (record.id.to_string(), record)).collect(),
            seen: vec![(1500, record("a", 1000, &[returned(1)]))],
            stats,
            victims: Vec::new(),
        }
    }

    fn violations(&self) -> Vec<String> {
        let Self { entries, lines, records, seen, stats, victims } = self;
        let (losses, clock_is_true, epoch, stats) = (&[], true, 0, std::slice::from_ref(stats));
        let heirs = &[1];
        History { entries, lines, records, seen, stats, victims, heirs, losses, clock_is_true, epoch }
            .violations()
    }

    fn entry(&mut self, id: &str) -> &mut Entry {
        self.entries.iter_mut().find(|entry| entry.id == id).unwrap()
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
    ("a result was overwritten", |told| told.seen[0].1.attempts = 2),
    ("taken from a live worker", |told| {
        // its claim ended by a crash, and its process lives
        let c = told.record("c");
        (c.failures, c.crashes) = (0, 1);
        told.victims.push(Victim { pid: WORKER + 1, killed: Some(500) });
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
    ("started", |told| {
        // the higher priority comes first
        told.entry("a").priority = 90;
        told.record("a").started_at = Some(Timestamp::from_millis(2500));
    }),
    ("had ended, and still held", |told| told.entry("out").sent = 5_000_000),
    ("both were taken in", |told| drop(told.records.insert("out".to_owned(), record("out", 4200, &[])))),
    ("never held the key", |told| told.entry("key").unique = Some(2)),
    ("never held the key", |told| drop(told.records.remove("key"))),
    ("at the same time", |told| {
        told.entry("out").duplicate_of = None;
        told.records.insert("out".to_owned(), record("out", 4300, &[returned(1)]));
    }),
    ("was the replay of", |told| told.entry("again").replay = Replay::NotAsked),
    ("was the replay of", |told| told.record("again").generation = 0),
    ("was the replay of", |told| told.record("again").attempts = 0),
    ("claims that nothing accounts for", |told| told.record("again").attempts = 2),
    ("ended as", |told| told.record("again").status = TaskStatus::Cancelled),
    ("ended as", |told| told.entry("late").expires = None),
    ("and expired", |told| told.entry("late").expires = Some(10 * MOMENT)),
    ("and expired", |told| told.lines.extend(run("late", 1, 6_000_000))),
    ("started after it had expired", |told| told.entry("later").expires = Some(MOMENT)),
    ("started before it was due", |told| told.entry("later").delay = Some(7 * MOMENT)),
    ("are counted", |told| told.stats.totals.expired = 0),
    ("are counted", |told| told.stats.totals.replayed = 2),
    ("outlived its worker", |told| told.victims.push(Victim { pid: WORKER, killed: Some(1000) })),
    ("follow-ups", |told| told.entries[0].kind = Kind::Parent(2)),
    ("follow-ups", |told| drop(told.entries.remove(0))),
];

#[test]
fn a_run_in_which_all_is_in_order_is_not_complained_of() {
    assert_eq!(Told::in_order().violations(), Vec::<String>::new());
}

#[test]
fn what_has_a_lower_priority_may_start_later() {
    let mut told = Told::in_order();
    told.entry("a").priority = 10;
    told.record("a").started_at = Some(Timestamp::from_millis(2500));
    assert_eq!(told.violations(), Vec::<String>::new());
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
