//! Faults of every kind in any order: a little of it, or as much as the environment says.

use std::{env, time::Duration};

use tokio::time::Instant;

use crate::{
    fault::Fault,
    report::Report,
    run::{ALWAYS, EVERY_SECOND, Plan},
};

fn told(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_goes_wrong_each_task_runs_as_often_as_it_should_and_ends_once() {
    let (minutes, tasks) = (told("CHAOS_MINUTES"), told("CHAOS_TASKS"));
    let first = told("CHAOS_SEED").unwrap_or(9);
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    if end.is_none() && tasks.is_none() {
        let few = of_kind(|fault| !fault.is_long() && !fault.spoils_the_view(), 1);
        Plan { seed: first, faults: &few, apart: 60, server: ALWAYS }.run().await;
        return;
    }
    let (strict, every) = (of_kind(|fault| !fault.spoils_the_view(), 2), of_kind(|_| true, 2));
    let mut sum = Report::default();
    for seed in first.. {
        // by turns: all that must hold where nothing may be lost, and faults of every kind
        let (faults, server) = if seed % 2 == 0 { (&strict, ALWAYS) } else { (&every, EVERY_SECOND) };
        sum.add(Plan { seed, faults, apart: 500, server }.run().await);
        println!("so far:\n{sum}\n");
        let late = end.is_some_and(|end| Instant::now() >= end);
        if late || tasks.is_some_and(|tasks| sum.finished >= tasks) {
            break;
        }
    }
}

/// The faults of a kind, each so often, or once if it is long.
fn of_kind(is: impl Fn(Fault) -> bool, often: usize) -> Vec<(Fault, usize)> {
    let these = Fault::ALL.iter().copied().filter(|fault| is(*fault));
    these.map(|fault| (fault, if fault.is_long() { 1 } else { often })).collect()
}
