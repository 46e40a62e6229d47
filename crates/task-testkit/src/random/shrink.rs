//! Makes a failing script as short as it goes, so that a person can read it.

use super::{play, script::Step};
use crate::Harness;

/// The most runs that it takes.
const RUNS: usize = 300;

/// Takes steps out, many at once and then one by one, as long as what is left still fails.
pub(super) async fn shrink<H: Harness>(mut script: Vec<Step>, mut difference: String) -> (Vec<Step>, String) {
    let (mut chunk, mut runs) = (script.len().div_ceil(2).max(1), 0);
    loop {
        let (mut at, mut shorter) = (0, false);
        while at < script.len() && runs < RUNS {
            let mut less = script.clone();
            less.drain(at..(at + chunk).min(script.len()));
            runs += 1;
            match play::play::<H>(&less, 1).await {
                Ok(_) => at += chunk,
                Err(still) => (script, difference, shorter) = (less, still, true),
            }
        }
        if runs >= RUNS || (chunk == 1 && !shorter) {
            return (script, difference);
        }
        chunk = (chunk / 2).max(1);
    }
}
