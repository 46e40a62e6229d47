//! Faults of every kind in any order: a little of it, or as much as the environment says.

use std::{
    env, fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use crate::{
    fault::Fault,
    progress::PROGRESS,
    report::Report,
    run::{ALWAYS, EVERY_SECOND, Plan},
    scale::{LARGE, SMALL},
};

/// Rounds that go on beside each other, so that while one waits for a lease to end, the other gives the machine to do.
const LANES: u64 = 2;

fn told(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// When a long run is over.
struct Until {
    start: Instant,
    /// The seed of the next round.
    seed: AtomicU64,
    /// How many rounds may still begin.
    rounds: AtomicU64,
    time: Option<Duration>,
    tasks: Option<u64>,
    failed: AtomicBool,
}

impl Until {
    /// As the environment says; `None` if it doesn't ask for a long run.
    fn told(seed: u64) -> Option<Self> {
        let (minutes, tasks, rounds) = (told("CHAOS_MINUTES"), told("CHAOS_TASKS"), told("CHAOS_ROUNDS"));
        minutes.or(tasks).or(rounds)?;
        Some(Self {
            start: Instant::now(),
            seed: AtomicU64::new(seed),
            rounds: AtomicU64::new(rounds.unwrap_or(u64::MAX)),
            time: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
            tasks,
            failed: AtomicBool::new(false),
        })
    }

    /// The seed of another round, if there is to be one.
    fn next(&self) -> Option<u64> {
        let one_less = |left: u64| left.checked_sub(1);
        let more = !self.is_over()
            && self.rounds.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        more.then(|| self.seed.fetch_add(1, Ordering::Relaxed))
    }

    fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
            || self.time.is_some_and(|time| self.start.elapsed() >= time)
            || self.tasks.is_some_and(|tasks| PROGRESS.tasks() >= tasks)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_goes_wrong_each_task_runs_as_often_as_it_should_and_ends_once() {
    let first = told("CHAOS_SEED").unwrap_or(9);
    match Until::told(first) {
        None => {
            let few = once_each(|fault| !fault.is_long() && !fault.spoils_the_view());
            let plan = Plan { seed: first, faults: &few, apart: 60, server: ALWAYS, scale: &SMALL };
            plan.run().await;
        }
        Some(until) => long(Box::leak(Box::new(until))).await,
    }
}

/// Rounds with a new seed each, until it is over; then a table, also as JSON in the file that CHAOS_REPORT names.
async fn long(until: &'static Until) {
    static SUM: Mutex<Option<Report>> = Mutex::new(None);
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(async {
            while let Some(seed) = until.next() {
                let round = round(seed, until).await;
                SUM.lock().unwrap().get_or_insert_default().add(round);
            }
        });
    }
    let mut failure = None;
    let all = async {
        while let Some(ended) = lanes.join_next().await {
            if let Err(error) = ended {
                until.failed.store(true, Ordering::Relaxed);
                failure.get_or_insert(error);
            }
        }
    };
    tokio::select! {
        () = all => {}
        () = PROGRESS.tell() => {}
    }
    let sum = SUM.lock().unwrap().take().unwrap_or_default();
    println!("{sum}\nin {} s", until.start.elapsed().as_secs());
    if let Some(failure) = failure {
        println!("this is of the rounds in which all held; one failed");
        std::panic::resume_unwind(failure.into_panic());
    }
    if let Ok(file) = env::var("CHAOS_REPORT") {
        fs::write(&file, format!("{:#}\n", sum.json(until.start.elapsed())))
            .unwrap_or_else(|error| panic!("CHAOS_REPORT={file}: {error}"));
    }
}

/// By turns: all that must hold where nothing may be lost, and faults of every kind. What lasts for some leases comes in
/// every other round of each.
async fn round(seed: u64, until: &'static Until) -> Report {
    let nothing_is_lost = seed.is_multiple_of(2);
    let with_long = (seed / 2).is_multiple_of(2);
    let faults =
        once_each(|fault| (with_long || !fault.is_long()) && !(nothing_is_lost && fault.spoils_the_view()));
    let server = if nothing_is_lost { ALWAYS } else { EVERY_SECOND };
    Plan { seed, faults: &faults, apart: 800, server, scale: &LARGE }.run_until(|| until.is_over()).await
}

/// The faults of a kind.
fn once_each(is: impl Fn(Fault) -> bool) -> Vec<(Fault, usize)> {
    Fault::ALL.iter().filter(|fault| is(**fault)).map(|fault| (*fault, 1)).collect()
}
