use std::{
    collections::HashSet,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use task_core::Name;

type Labels<const N: usize> = [(&'static str, String); N];
type Durations = Family<Labels<2>, Histogram, fn() -> Histogram>;

/// What only the process itself sees, and a queue can't tell: how long tasks waited and ran, and how its workers are.
///
/// It may be written to from anywhere, and costs well under a microsecond a task. It is bounded: beyond
/// [`MAX_TASKS`](Self::MAX_TASKS) names of tasks, further ones count as `other`.
#[derive(Debug)]
pub struct Observations {
    pub(crate) wait: Durations,
    pub(crate) run: Durations,
    pub(crate) restarts: Family<Labels<1>, Counter>,
    named: RwLock<HashSet<(Name, Name)>>,
    alive: AtomicUsize,
    all_parked: AtomicBool,
}

/// From a millisecond to an hour, in seconds.
const BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0];

impl Observations {
    /// So many pairs of a queue and a name of a task have numbers of their own. Each is about thirty lines of
    /// `/metrics`.
    pub const MAX_TASKS: usize = 100;

    /// Nothing has been seen yet.
    pub fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            wait: Family::new_with_constructor(histogram),
            run: Family::new_with_constructor(histogram),
            restarts: Family::default(),
            named: RwLock::default(),
            alive: AtomicUsize::new(0),
            all_parked: AtomicBool::new(false),
        }
    }

    /// So many attempts of a task ended, which on average waited and ran for so long. Told together they count as what they
    /// are where each of them waited as long as the others, by [`bucket`](Self::bucket), and ran as long.
    pub fn ended(&self, queue: &Name, task: &Name, attempts: u32, waited: Duration, ran: Duration) {
        let labels = self.labels(queue, task);
        for (family, mean) in [(&self.wait, waited), (&self.run, ran)] {
            let histogram = family.get_or_create(&labels);
            (0..attempts).for_each(|_| histogram.observe(mean.as_secs_f64()));
        }
    }

    /// Which line of a histogram such a time counts for: 0 for the shortest.
    pub fn bucket(time: Duration) -> usize {
        BUCKETS.partition_point(|bound| *bound < time.as_secs_f64())
    }

    /// So many workers are alive now.
    pub fn set_alive(&self, workers: usize) {
        self.alive.store(workers, Relaxed);
    }

    /// A worker was started again, for this reason in a word or two: `exited`, `killed`, `silent`.
    pub fn restarted(&self, reason: &'static str) {
        self.restarts.get_or_create(&[("reason", reason.to_owned())]).inc();
    }

    /// Whether every worker is parked: none lives, nor will within the next minute.
    pub fn set_all_parked(&self, parked: bool) {
        self.all_parked.store(parked, Relaxed);
    }

    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Relaxed)
    }

    pub(crate) fn all_parked(&self) -> bool {
        self.all_parked.load(Relaxed)
    }

    fn labels(&self, queue: &Name, task: &Name) -> Labels<2> {
        let task = if self.is_named(queue, task) { task.as_str() } else { "other" };
        [("queue", queue.to_string()), ("task", task.to_owned())]
    }

    fn is_named(&self, queue: &Name, task: &Name) -> bool {
        let pair = (queue.clone(), task.clone());
        {
            let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
            if named.contains(&pair) || named.len() >= Self::MAX_TASKS {
                return named.contains(&pair);
            }
        }
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        // others may have come in between
        named.contains(&pair) || (named.len() < Self::MAX_TASKS && named.insert(pair))
    }
}

impl Default for Observations {
    fn default() -> Self {
        Self::new()
    }
}
