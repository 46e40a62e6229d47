//! What happens in a simulated schedule, drawn from its seed.

use std::{fmt, time::Duration};

use fastrand::Rng;
use task_core::TaskOptions;

/// The names of tasks: every worker knows the first, all but the first worker the second, and the last one the third.
pub(crate) const NAMES: [&str; 3] = ["work", "mail", "rare"];

/// Every worker works on all named queues of its schedule: on the first, or on both.
pub(crate) const QUEUES: [&str; 2] = ["tasks", "other"];

/// Until when things happen; what is left then is only to be run.
pub(crate) const BUSY: Duration = Duration::from_secs(90);

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) workers: Vec<WorkerPlan>,
    /// How many named queues there are.
    pub(crate) queues: usize,
    /// Of so many calls one meets a mishap; `None`: all go well.
    pub(crate) mishaps: Option<u32>,
    /// By their times.
    pub(crate) events: Vec<(Duration, Event)>,
}

#[derive(Clone, Debug)]
pub(crate) struct WorkerPlan {
    pub(crate) concurrency: u32,
    pub(crate) grace: Duration,
    pub(crate) names: Vec<&'static str>,
    /// For each named queue.
    pub(crate) weights: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Enqueue(Vec<NewTask>),
    Cancel(usize),
    Replay(usize),
    Purge(usize),
    Pause(usize),
    Resume(usize),
    /// The process ends; whoever started it says so after a while, or nobody does.
    Crash {
        worker: usize,
        released: Option<Duration>,
    },
    /// It is told to stop, and another is started.
    Stop {
        worker: usize,
    },
    /// Its network is gone for a while.
    Cut {
        worker: usize,
        lasts: Duration,
    },
    /// The backend is away for everybody.
    Away(Duration),
}

#[derive(Clone, Debug)]
pub(crate) struct NewTask {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    /// Its named queue.
    pub(crate) queue: usize,
    pub(crate) options: TaskOptions,
    /// What each attempt does; the last one stands for all that follow.
    pub(crate) acts: Vec<Act>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    pub(crate) lasts: Duration,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Value,
    /// A value, and a task that follows.
    FollowUp,
    Error,
    RetryAfter(Duration),
    Fatal,
    Skip,
    Cancelled,
    Panic,
    /// It goes on until it is stopped.
    Hang,
    /// It takes its process with it.
    Kill,
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "workers {:?}, one call in {:?} meets a mishap", self.workers, self.mishaps)?;
        for (at, event) in &self.events {
            match event {
                Event::Enqueue(tasks) => {
                    for NewTask { id, name, queue: _, options, acts } in tasks {
                        writeln!(f, "{at:?} enqueue {id} `{name}` {acts:?} {options:?}")?;
                    }
                }
                event => writeln!(f, "{at:?} {event:?}")?,
            }
        }
        Ok(())
    }
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (count, queues) = (rng.usize(1..4), rng.usize(1..=QUEUES.len()));
        let worker = |n: usize, rng: &mut Rng| WorkerPlan {
            concurrency: [1, 2, 8][rng.usize(0..3)],
            grace: [secs(0), secs(3), secs(25)][rng.usize(0..3)],
            names: match n {
                _ if n + 1 == count => NAMES.to_vec(),
                0 => NAMES[..1].to_vec(),
                _ => NAMES[..2].to_vec(),
            },
            weights: (0..queues).map(|_| rng.u32(1..4)).collect(),
        };
        let workers = (0..count).map(|n| worker(n, &mut rng)).collect();
        let mishaps = [None, Some(40), Some(8)][rng.usize(0..3)];
        // some schedules are of poison, some of quick tasks, some calm
        let temper = Temper { deadly: rng.u8(0..4) == 0, slow: rng.u8(0..3) == 0, queues };
        let mut tasks = 0;
        let mut events: Vec<_> = (0..rng.usize(5..20))
            .map(|_| {
                let at = Duration::from_millis(rng.u64(0..BUSY.as_millis() as u64));
                (at, event(&mut rng, count, &mut tasks, temper))
            })
            .collect();
        let first = (0..rng.usize(1..8)).map(|_| new_task(&mut rng, &mut tasks, temper)).collect();
        events.push((Duration::ZERO, Event::Enqueue(first)));
        events.sort_by_key(|(at, _)| *at);
        Self { seed, workers, queues, mishaps, events }
    }
}

#[derive(Clone, Copy)]
struct Temper {
    deadly: bool,
    slow: bool,
    queues: usize,
}

fn event(rng: &mut Rng, workers: usize, tasks: &mut usize, temper: Temper) -> Event {
    let (worker, queue) = (rng.usize(0..workers), rng.usize(0..temper.queues));
    let known = (*tasks).max(1);
    match rng.u8(0..32) {
        0..10 => Event::Enqueue((0..rng.usize(1..6)).map(|_| new_task(rng, tasks, temper)).collect()),
        10..15 => Event::Cancel(rng.usize(0..known)),
        15..18 => Event::Replay(rng.usize(0..known)),
        18 => Event::Purge(queue),
        19 => Event::Pause(queue),
        20 | 21 => Event::Resume(queue),
        22..26 => Event::Crash { worker, released: rng.bool().then(|| secs(rng.u64(0..20))) },
        26..28 => Event::Stop { worker },
        28..31 => Event::Cut { worker, lasts: secs(rng.u64(1..40)) },
        _ => Event::Away(secs(rng.u64(1..40))),
    }
}

fn new_task(rng: &mut Rng, tasks: &mut usize, temper: Temper) -> NewTask {
    *tasks += 1;
    let queue = rng.usize(0..temper.queues);
    let mut options =
        TaskOptions::default().queue(QUEUES[queue]).max_retries(rng.u32(0..4)).max_crashes(rng.u8(0..4));
    let mut one_in = |n: u8| rng.u8(0..n) == 0;
    let (delayed, expires, unique, ranked) = (one_in(5), one_in(8), one_in(6), one_in(3));
    let timed = one_in(3);
    if delayed {
        options = options.delay(secs(rng.u64(1..30)));
    }
    if expires {
        options = options.expires(secs(rng.u64(1..60)));
    }
    if unique {
        options = options.unique_in_queue(format!("key{}", rng.u8(0..3)));
    }
    if ranked {
        options = options.priority(rng.u8(0..101));
    }
    if timed {
        options = options.timeout(secs(rng.u64(1..20)));
    }
    let mut acts: Vec<Act> = (0..rng.usize(1..4)).map(|_| act(rng, temper)).collect();
    // the last of them must come to an end by itself
    let last = acts.last_mut().expect("there is one");
    if matches!(last.end, End::Hang) {
        last.end = End::Value;
    }
    let name = NAMES[[0, 0, 0, 1, 1, 2][rng.usize(0..6)]];
    NewTask { id: format!("t{}", *tasks - 1), name, queue, options, acts }
}

fn act(rng: &mut Rng, temper: Temper) -> Act {
    let lasts = match rng.u8(0..4) {
        0 => Duration::ZERO,
        1 | 2 => Duration::from_millis(rng.u64(1..2000)),
        _ if temper.slow => secs(rng.u64(1..40)),
        _ => secs(rng.u64(1..5)),
    };
    let end = match rng.u8(0..if temper.deadly { 24 } else { 20 }) {
        0..8 => End::Value,
        8 | 9 => End::FollowUp,
        10..13 => End::Error,
        13 => End::RetryAfter(secs(rng.u64(0..20))),
        14 => End::Fatal,
        15 => End::Skip,
        16 => End::Cancelled,
        17 => End::Panic,
        18 => End::Hang,
        _ => End::Kill,
    };
    Act { lasts, end }
}
