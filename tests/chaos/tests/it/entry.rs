//! What an app enqueued, and what became of it as far as the app was told.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use task_core::{CancelAnswer, Enqueue, Name, ResultMessage, RetryPolicy, TaskQueue};

use crate::crew::{COMMANDS, MAIL};

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Quick,
    /// Fails so often before it returns something.
    Flaky(u32),
    /// Fails more often than it is tried.
    Exhausted,
    Fatal,
    Skipped,
    Slow,
    Spin,
    /// Has so many follow-ups.
    Parent(u32),
}

impl Kind {
    /// How often it is tried again.
    pub(crate) const RETRIES: u32 = 2;

    fn enqueue(self, queue: &TaskQueue, rng: &mut Rng) -> Enqueue<u32> {
        match self {
            Self::Quick => {
                let size = if rng.u32(0..50) == 0 { rng.usize(10_000..100_000) } else { rng.usize(0..100) };
                queue.enqueue_named("quick", &json!({"pad": "x".repeat(size)}))
            }
            Self::Flaky(until) => queue.enqueue_named("flaky", &json!({"until": until})),
            Self::Exhausted => queue.enqueue_named("flaky", &json!({"until": u32::MAX})),
            Self::Fatal => queue.enqueue_named("fatal", &json!({})),
            Self::Skipped => queue.enqueue_named("skipped", &json!({})),
            Self::Slow => queue.enqueue_named("slow", &json!({"millis": rng.u32(1..=300)})),
            Self::Spin => queue.enqueue_named("spin", &json!({"millis": rng.u32(1..=50)})),
            Self::Parent(children) => queue.enqueue_named("parent", &json!({"children": children})),
        }
    }

    /// The same as a command; what only a program of ours can do returns at once there.
    fn command(self, queue: &TaskQueue, rng: &mut Rng) -> Enqueue<u32> {
        let (what, number) = match self {
            Self::Quick | Self::Spin | Self::Parent(_) => ("quick", 0),
            Self::Flaky(until) => ("flaky", until),
            Self::Exhausted => ("flaky", u32::MAX),
            Self::Fatal => ("fatal", 0),
            Self::Skipped => ("skipped", 0),
            Self::Slow => ("slow", rng.u32(1..=300)),
        };
        queue.enqueue_named("command", &json!({"what": what, "number": number}))
    }
}

/// In which named queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Where {
    Tasks,
    Mail,
    Commands,
}

impl Where {
    pub(crate) const ALL: [Self; 3] = [Self::Tasks, Self::Mail, Self::Commands];

    pub(crate) fn name(self) -> Name {
        match self {
            Self::Tasks => Name::DEFAULT_QUEUE,
            Self::Mail => MAIL.parse().expect("a name"),
            Self::Commands => COMMANDS.parse().expect("a name"),
        }
    }

    /// What an id begins with that an app gives.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Tasks => 'T',
            Self::Mail => 'M',
            Self::Commands => 'C',
        }
    }

    /// Where an app enqueued what has this id; `None` if no app did.
    pub(crate) fn of(id: &str) -> Option<Self> {
        let letter = id.chars().next();
        Self::ALL.into_iter().find(|place| Some(place.letter()) == letter)
    }
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    NotAsked,
    Answered(CancelAnswer),
    /// Its answer was lost for good.
    Unknown,
}

/// What became of a replay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Replay {
    NotAsked,
    /// It was replayed, and this was known of it before.
    Of(Box<ResultMessage>),
    /// Its answer was lost for good, or what was asked for is not as it was.
    Unknown,
}

/// A task that an app enqueued.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) queue: Where,
    pub(crate) priority: u8,
    /// How long it is not due.
    pub(crate) delay: Option<Duration>,
    /// How long it may start.
    pub(crate) expires: Option<Duration>,
    /// The key that it holds in its queue.
    pub(crate) unique: Option<u8>,
    /// Which app, and in which of its batches: a batch is sent once the one before is acknowledged.
    pub(crate) app: usize,
    pub(crate) batch: usize,
    /// When it was sent first.
    pub(crate) sent: u64,
    /// When it was acknowledged; `None`: the app doesn't know whether it was taken in.
    pub(crate) acked: Option<u64>,
    /// The task that holds its key, which was answered instead.
    pub(crate) duplicate_of: Option<String>,
    pub(crate) cancel: Cancel,
    pub(crate) replay: Replay,
}

impl Entry {
    /// What is enqueued; the same each time.
    pub(crate) fn enqueue(&self, queue: &TaskQueue) -> Enqueue<u32> {
        // the params follow from the id, so that it is the same task each time
        let seed = self.id.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let rng = &mut Rng::with_seed(seed);
        let mut enqueue = match self.queue {
            Where::Commands => self.kind.command(queue, rng),
            Where::Tasks | Where::Mail => self.kind.enqueue(queue, rng),
        };
        if let Some(delay) = self.delay {
            enqueue = enqueue.delay(delay);
        }
        if let Some(expires) = self.expires {
            enqueue = enqueue.expires(expires);
        }
        if let Some(key) = self.unique {
            enqueue = enqueue.unique_in_queue(format!("key-{key}"));
        }
        let backoff = RetryPolicy::exponential(Duration::from_millis(100), Duration::from_millis(500));
        enqueue
            .id(self.id.parse().expect("an id"))
            .queue(self.queue.name().to_string())
            .priority(self.priority)
            .max_retries(Kind::RETRIES)
            .backoff(backoff)
    }
}
