//! Random operations: scripts made of seeds, run on the plain model and on a backend, every answer compared.
//!
//! A script's time goes in whole minutes ([`UNIT`](play::UNIT)), and everything in it lasts whole minutes. So what a
//! real clock drifts by while a script runs, some milliseconds, changes no answer; and no step needs to wait.

mod compare;
mod play;
mod script;
mod shrink;
mod turn;
mod views;

use std::str::FromStr;

use crate::Harness;

/// Everything is looked at after so many steps.
const EVERY: usize = 10;

/// One test that runs random scripts of several workers on a backend and on the plain model, and compares all answers.
///
/// It takes the same [`Harness`](crate::Harness) as [`conformance!`](crate::conformance). By default it runs 100 scripts
/// of 50 steps, always the same ones. The environment says otherwise: `TASKS_RANDOM_SCRIPTS` and `TASKS_RANDOM_STEPS`
/// how many, and `TASKS_RANDOM_SEED` the first script's seed; alone, it runs that script again.
///
/// A script that fails is made as short as it goes, and printed. What was done is printed, too: a thousand scripts on each
/// backend of this repository are run by
/// `TASKS_RANDOM_SCRIPTS=1000 cargo nextest run --workspace --success-output final random_operations`.
#[macro_export]
macro_rules! random_operations {
    ($harness:ty) => {
        #[test]
        fn random_operations_are_answered_as_by_the_plain_model() {
            $crate::run_random_operations::<$harness>();
        }
    };
}

/// What [`random_operations!`](crate::random_operations) runs.
#[doc(hidden)]
pub fn run_random_operations<H: Harness>() {
    let first: Option<u64> = setting("TASKS_RANDOM_SEED");
    let scripts = setting("TASKS_RANDOM_SCRIPTS").unwrap_or(if first.is_some() { 1 } else { 100 });
    let steps: usize = setting("TASKS_RANDOM_STEPS").unwrap_or(50);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let mut all = play::Tally::default();
        for seed in (first.unwrap_or(0)..).take(scripts) {
            let script = script::script(seed, steps);
            match play::play::<H>(&script, EVERY).await {
                Ok(tally) => all += tally,
                Err(difference) => fails::<H>(script, difference, seed, steps).await,
            }
        }
        let play::Tally { steps: done, tasks, claims, settlements } = all;
        println!(
            "{scripts} random scripts of {steps} steps, {done} in all, are answered as by the plain model: \
             {claims} claims, {settlements} settlements; {tasks} tasks were taken in, and each has ended"
        );
    });
}

/// Makes a script that differs short, and panics with it.
async fn fails<H: Harness>(script: Vec<script::Step>, difference: String, seed: u64, steps: usize) {
    let (script, difference) = shrink::shrink::<H>(script, difference).await;
    let lines: String = script.iter().enumerate().map(|(n, step)| format!("{n:>4} {step:?}\n")).collect();
    panic!(
        "a random script is answered otherwise than by the model, {difference}\n{lines}\
         again: TASKS_RANDOM_SEED={seed} TASKS_RANDOM_STEPS={steps}"
    );
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}=`{text}` is not a whole number from 0 up")))
}
