//! Workers on the memory queue in thousands of schedules, each drawn from a seed: delays, timeouts, retries, cancels,
//! replays, pauses, shutdowns, crashes, poison, and networks that fail, hang, lose answers, and deliver twice or late.
//!
//! Tokio's clock is paused, so that minutes of a schedule take milliseconds. At the end of each one everything that was
//! acknowledged has ended exactly once, and each claim is accounted for: [`laws`] says what must hold.
//!
//! By default 1,000 schedules are run, and no more are begun after 60 seconds. `TASKS_SIM_SCHEDULES` and
//! `TASKS_SIM_SECONDS` say otherwise; `TASKS_SIM_SEED` says which seed is the first, and alone runs that one again:
//!
//! ```sh
//! TASKS_SIM_SCHEDULES=20000 TASKS_SIM_SECONDS=600 cargo nextest run -p task-tests --success-output final --test simulation
//! ```
//!
//! The seed decides what happens and when. It does not decide in which order Tokio does what is ready at the same instant,
//! so a schedule that failed mostly fails again, not always.

mod laws;
mod ledger;
mod plan;
mod worker;
mod world;

use std::{
    ops::AddAssign,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use laws::Tally;
use ledger::Flaw;
use plan::Plan;

#[test]
fn in_every_schedule_each_acknowledged_task_ends_once_and_each_claim_is_accounted_for() {
    let first: Option<u64> = setting("TASKS_SIM_SEED");
    let schedules = setting("TASKS_SIM_SCHEDULES").unwrap_or(if first.is_some() { 1 } else { 1000 });
    let budget = Duration::from_secs(setting("TASKS_SIM_SECONDS").unwrap_or(60));
    let (first, began) = (first.unwrap_or(0), Instant::now());
    let (next, done) = (AtomicU64::new(first), Mutex::new((0_u64, Tally::default())));
    let failed = thread::scope(|scope| {
        let work = || -> Result<(), String> {
            while began.elapsed() < budget {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + schedules {
                    break;
                }
                let tally = schedule(seed, None)?;
                let mut done = done.lock().unwrap();
                done.0 += 1;
                done.1 += tally;
            }
            Ok(())
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).next()
    });
    if let Some(failed) = failed {
        panic!("{failed}");
    }
    let (schedules, Tally { tasks, claims, runs, retries, crashes, releases, suspects, ends }) =
        *done.lock().unwrap();
    println!(
        "{schedules} schedules in {:.1} s: {tasks} tasks were acknowledged or there, claimed {claims} times and run \
         {runs} times ({suspects} times as suspects); {retries} attempts were tried again, {crashes} crashed, {releases} \
         were given back; {} tasks COMPLETED, {} FAILED, {} SKIPPED, {} CANCELLED, replayed ones each time",
        began.elapsed().as_secs_f64(),
        ends[0],
        ends[1],
        ends[2],
        ends[3]
    );
    assert!(schedules > 0, "the time was over before the first schedule was");
}

/// Laws that no queue could break would say nothing.
#[test]
fn a_queue_that_forgets_or_does_not_fence_or_ends_attempts_twice_breaks_a_law() {
    for (flaw, law) in [
        (Flaw::Forgets, "was acknowledged, and is not there"),
        (Flaw::DoesNotFence, "only the last claim is ended by a settlement"),
        (Flaw::EndsTwice, "an attempt ends once"),
    ] {
        let breaks = |seed| {
            let broken = schedule(seed, Some(flaw)).err();
            broken.is_some_and(|broken| broken.lines().next().is_some_and(|line| line.contains(law)))
        };
        assert!((0..500).any(breaks), "{flaw:?} breaks `{law}` in none of 500 schedules");
    }
}

/// Runs the schedule of a seed.
fn schedule(seed: u64, flaw: Option<Flaw>) -> Result<Tally, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let plan = Plan::new(seed);
    let played = runtime.block_on(async {
        let world = world::play(&plan, flaw).await?;
        laws::check(&world).await
    });
    played.map_err(|law| {
        format!("in schedule {seed} this does not hold: {law}\n{plan}\nagain: TASKS_SIM_SEED={seed}")
    })
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.tasks += other.tasks;
        self.claims += other.claims;
        self.runs += other.runs;
        self.retries += other.retries;
        self.crashes += other.crashes;
        self.releases += other.releases;
        self.suspects += other.suspects;
        for (end, other) in self.ends.iter_mut().zip(other.ends) {
            *end += other;
        }
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}=`{text}` is not a whole number from 0 up")))
}
