//! Scripts: what a few workers and a few apps do, step by step. They name tasks, workers and deliveries by numbers, so
//! that a script still means something when steps are taken out of it.

use fastrand::Rng;
use task_core::TaskStatus;

/// Ids that a script uses.
pub(super) const IDS: u8 = 12;
/// Names of tasks: all workers know the first, half of them the second, and of the third only the last one knows.
pub(super) const NAMES: [&str; 3] = ["work", "mail", "rare"];
/// Workers that are there at the same time.
pub(super) const WORKERS: usize = 4;

/// A task to enqueue. Times are whole units.
#[derive(Clone, Debug, Default)]
pub(super) struct NewTask {
    pub(super) id: u8,
    pub(super) name: usize,
    pub(super) params: u8,
    pub(super) priority: Option<u8>,
    pub(super) delay: Option<u32>,
    pub(super) expires: Option<u32>,
    pub(super) unique: Option<(u8, bool)>,
    pub(super) retention: Option<u32>,
    pub(super) max_crashes: Option<u8>,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Completed(u8),
    Skipped,
    Cancelled,
    Retry(u32),
    Failed,
    Released,
    NameUnknown,
}

/// A claim of a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) worker: usize,
    pub(super) max: usize,
    /// It says that it is idle, whether it is or not.
    pub(super) idle: bool,
    /// It says which answers have arrived.
    pub(super) acks: bool,
    /// It takes the number after the next: the one between is still on its way.
    pub(super) skips: bool,
    /// One byte, so that one task alone fits.
    pub(super) narrow: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Enqueue(Vec<NewTask>),
    Claim(Wish),
    /// One of the worker's claims again, or one whose number was left out.
    ClaimAgain {
        worker: usize,
        back: u64,
    },
    Settle {
        ends: Vec<(usize, End)>,
        then: Option<Wish>,
    },
    /// A settlement again as it was, or with this end.
    SettleAgain {
        pick: usize,
        end: Option<End>,
    },
    Beat {
        worker: usize,
        busy: u32,
        progress: Option<usize>,
        /// It says what it holds, and has forgotten this one of it.
        forgets: Option<usize>,
    },
    Release {
        worker: usize,
    },
    /// It dies, and nobody says so; another starts in its place.
    Die {
        worker: usize,
    },
    /// One that was given up lives after all, and claims.
    Zombie {
        pick: usize,
    },
    ZombieBeat {
        pick: usize,
    },
    Cancel(u8),
    Replay(u8),
    Delete(u8),
    Pause,
    Resume,
    Limit(Option<u64>),
    Purge,
    Tell {
        worker: usize,
        concurrency: u32,
    },
    Explain(u8),
    Message(u8),
    List(Option<TaskStatus>, Option<usize>),
    /// So many units pass.
    Advance(u32),
    /// The same, and nobody could call the backend.
    Outage(u32),
}

/// The script of a seed.
pub(super) fn script(seed: u64, steps: usize) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    // each script has a temper of its own: a few do things that would drown others
    let mut temper = || rng.u32(0..4) == 0;
    let temper = Temper { deadly: temper(), unknowing: temper(), hurried: temper(), orderly: temper() };
    (0..steps).map(|_| step(&mut rng, temper)).collect()
}

#[derive(Clone, Copy)]
struct Temper {
    deadly: bool,
    unknowing: bool,
    hurried: bool,
    orderly: bool,
}

fn step(rng: &mut Rng, temper: Temper) -> Step {
    let worker = rng.usize(0..WORKERS);
    let id = rng.u8(0..IDS);
    let pick = rng.usize(0..64);
    let dies = if temper.deadly { 16 } else { 4 };
    let (time, mends) = if temper.hurried { (4, 4) } else { (12, 8) };
    let weights = [20, 24, 5, 24, 4, 7, dies, dies / 2, 3, 7, mends, 3, 2, 2, 2, 2, time, 2, 5];
    let mut left = rng.u32(0..weights.iter().sum());
    let kind = weights.iter().position(|weight| {
        let hit = left < *weight;
        left = left.saturating_sub(*weight);
        hit
    });
    match kind.unwrap_or(0) {
        0 => Step::Enqueue((0..rng.usize(1..4)).map(|_| new_task(rng, temper)).collect()),
        1 => Step::Claim(wish(rng, worker)),
        2 => Step::ClaimAgain { worker, back: rng.u64(0..4) },
        3 => {
            let ends = (0..rng.usize(1..4)).map(|_| (rng.usize(0..64), end(rng, temper))).collect();
            Step::Settle { ends, then: (rng.u32(0..4) == 0).then(|| wish(rng, worker)) }
        }
        4 => Step::SettleAgain { pick, end: rng.bool().then(|| end(rng, temper)) },
        5 => {
            let progress = rng.bool().then_some(pick);
            let forgets = rng.bool().then(|| rng.usize(0..64));
            Step::Beat { worker, busy: rng.u32(0..9), progress, forgets }
        }
        6 => Step::Release { worker },
        7 => Step::Die { worker },
        8 if rng.bool() => Step::Zombie { pick },
        8 => Step::ZombieBeat { pick },
        9 => Step::Cancel(id),
        10 => Step::Replay(id),
        11 => Step::Delete(id),
        12 => Step::Pause,
        13 => Step::Resume,
        14 => Step::Limit(rng.bool().then(|| rng.u64(0..8))),
        15 => Step::Tell { worker, concurrency: rng.u32(1..99) },
        16 => Step::Advance(span(rng)),
        17 if rng.u32(0..4) == 0 => Step::Purge,
        17 => Step::Outage(rng.u32(1..20)),
        _ => match rng.u32(0..4) {
            0 | 1 => Step::Explain(id),
            2 => Step::Message(id),
            _ => {
                let status = rng.bool().then(|| TaskStatus::ALL[rng.usize(0..TaskStatus::ALL.len())]);
                Step::List(status, rng.bool().then(|| rng.usize(0..NAMES.len())))
            }
        },
    }
}

/// Mostly short; now and then longer than ten minutes, an hour, a day or a week.
fn span(rng: &mut Rng) -> u32 {
    match rng.u32(0..40) {
        0..=19 => 1,
        20..=27 => rng.u32(2..4),
        28..=33 => rng.u32(4..9),
        34..=36 => rng.u32(10..13),
        37 => 61,
        38 => 24 * 60 + 1,
        _ => 7 * 24 * 60 + 1,
    }
}

fn new_task(rng: &mut Rng, temper: Temper) -> NewTask {
    let mut one_in = |n: u32| rng.u32(0..n) == 0;
    let (delays, expires, locks, keeps) = (one_in(5), one_in(6), one_in(5), one_in(5));
    let (spares, ranks) = (one_in(4), temper.orderly || one_in(3));
    NewTask {
        id: rng.u8(0..IDS),
        name: [0, 0, 0, 0, 0, 1, 1, 2][rng.usize(0..8)],
        params: u8::from(rng.u32(0..8) == 0),
        priority: ranks.then(|| [0, 10, 50, 90, 100][rng.usize(0..5)]),
        delay: delays.then(|| rng.u32(1..6)),
        expires: expires.then(|| rng.u32(1..5)),
        unique: locks.then(|| (rng.u8(0..2), rng.bool())),
        retention: keeps.then(|| [1, 2, 15][rng.usize(0..3)]),
        max_crashes: spares.then(|| rng.u8(0..3)),
    }
}

fn end(rng: &mut Rng, temper: Temper) -> End {
    match rng.u32(0..if temper.unknowing { 24 } else { 17 }) {
        0..=4 => End::Completed(rng.u8(0..4)),
        5 => End::Skipped,
        6 => End::Cancelled,
        7..=10 => End::Retry(rng.u32(1..5)),
        11 | 12 => End::Failed,
        13..=15 => End::Released,
        _ => End::NameUnknown,
    }
}

fn wish(rng: &mut Rng, worker: usize) -> Wish {
    Wish {
        worker,
        max: [1, 1, 2, 3, 9, 0][rng.usize(0..6)],
        idle: rng.bool(),
        acks: rng.u32(0..4) != 0,
        skips: rng.u32(0..8) == 0,
        narrow: rng.u32(0..8) == 0,
    }
}
