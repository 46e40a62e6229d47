//! Faults of every kind in any order: a little of it, or as much as the environment says.

use std::{env, time::Duration};

use tokio::time::Instant;

use crate::{
    fault::Fault,
    report::Report,
    run::{ALWAYS, Plan},
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
    let mut sum = Report::default();
    let quick: Vec<_> = Fault::ALL.iter().map(|fault| (*fault, usize::from(!fault.is_long()))).collect();
    if end.is_none() && tasks.is_none() {
        Plan { seed: first, faults: &quick, apart: 100, server: ALWAYS }.run().await;
        return;
    }
    let every: Vec<_> =
        Fault::ALL.iter().map(|fault| (*fault, if fault.is_long() { 1 } else { 3 })).collect();
    for seed in first.. {
        sum.add(Plan { seed, faults: &every, apart: 1000, server: ALWAYS }.run().await);
        println!("so far:\n{sum}\n");
        let late = end.is_some_and(|end| Instant::now() >= end);
        if late || tasks.is_some_and(|tasks| sum.finished >= tasks) {
            break;
        }
    }
}
