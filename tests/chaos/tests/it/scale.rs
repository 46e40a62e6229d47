//! How much is asked of the processes of a run: little in CI, and in the long mode what the machine gives.

use fastrand::Rng;

use crate::entry::Kind;

/// How often, of a thousand tasks, and which.
type Share = (u32, fn(&mut Rng) -> Kind);

pub(crate) struct Scale {
    /// The most tasks that an app enqueues at once.
    pub(crate) batch: usize,
    /// How many tasks an app enqueues in a second, at most. More would make a round so large that each look at all of its
    /// keys, and each start of its server, took longer than the faults.
    pub(crate) pace: u32,
    /// The most tasks that wait because of the apps.
    pub(crate) backlog: usize,
    /// How many tasks a worker runs at once.
    pub(crate) concurrency: u32,
    /// How many of a thousand tasks are commands.
    pub(crate) commands: u32,
    /// How often a server is killed that is killed again and again.
    pub(crate) restarts: usize,
    /// Whether a table is all that is told of the faults, and time is spent on what stands in it.
    pub(crate) long: bool,
    /// What is enqueued, out of a thousand.
    pub(crate) kinds: &'static [Share],
}

impl Scale {
    pub(crate) fn kind(&self, rng: &mut Rng) -> Kind {
        let mut place = rng.u32(0..self.kinds.iter().map(|(share, _)| share).sum());
        for (share, kind) in self.kinds {
            match place.checked_sub(*share) {
                Some(beyond) => place = beyond,
                None => return kind(rng),
            }
        }
        unreachable!("it is less than all shares together")
    }
}

/// Of every kind much.
pub(crate) static SMALL: Scale = Scale {
    batch: 30,
    pace: 10_000,
    backlog: 300,
    concurrency: 8,
    commands: 30,
    restarts: 10,
    long: false,
    kinds: &[
        (500, |_| Kind::Quick),
        (100, |rng| Kind::Flaky(rng.u32(1..=Kind::RETRIES))),
        (30, |_| Kind::Exhausted),
        (30, |_| Kind::Fatal),
        (40, |_| Kind::Skipped),
        (200, |_| Kind::Slow),
        (20, |_| Kind::Spin),
        (80, |rng| Kind::Parent(rng.u32(1..=3))),
    ],
};

/// Many tasks: few of them take their time, and very few a core.
pub(crate) static LARGE: Scale = Scale {
    batch: 100,
    pace: 350,
    backlog: 1000,
    concurrency: 32,
    commands: 8,
    restarts: 50,
    long: true,
    kinds: &[
        (775, |_| Kind::Quick),
        (60, |rng| Kind::Flaky(rng.u32(1..=Kind::RETRIES))),
        (10, |_| Kind::Exhausted),
        (15, |_| Kind::Fatal),
        (30, |_| Kind::Skipped),
        (60, |_| Kind::Slow),
        (2, |_| Kind::Spin),
        (48, |rng| Kind::Parent(rng.u32(1..=3))),
    ],
};
