//! Which fault comes when: from a seed, before anything runs, so that the same seed gives the same faults again.

use fastrand::Rng;

use crate::fault::Fault;

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// It comes once so many more tasks have been run.
    pub(crate) after: usize,
    pub(crate) fault: Fault,
    /// Where chance has a say in it, this one.
    pub(crate) seed: u64,
}

/// Each of these faults so often, in an order that follows from the seed, with up to `apart` tasks between two.
pub(crate) fn schedule(seed: u64, faults: &[(Fault, usize)], apart: usize) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    let mut all: Vec<Fault> =
        faults.iter().flat_map(|(fault, times)| std::iter::repeat_n(*fault, *times)).collect();
    rng.shuffle(&mut all);
    let step = |fault| Step { after: rng.usize(apart / 4..=apart), fault, seed: rng.u64(..) };
    all.into_iter().map(step).collect()
}

#[test]
fn the_same_seed_gives_the_same_schedule_and_another_one_another() {
    let faults = [(Fault::WorkerKilled, 3), (Fault::LoneWorkerKilled, 2)];
    let one = schedule(1, &faults, 100);
    assert_eq!(one.len(), 5);
    assert_eq!(one, schedule(1, &faults, 100));
    assert_ne!(one, schedule(2, &faults, 100));
}
