//! A primary that hands over, or dies and leaves its place to a replica.

use crate::{
    fault::Fault::{FailedOver, ReplicaPromoted},
    run::{ALWAYS, Plan},
    scale::SMALL,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_hands_over_to_its_replica_loses_nothing_and_nobody_is_taken_for_dead() {
    let faults = [(FailedOver, 2)];
    Plan { seed: 10, faults: &faults, apart: 200, server: ALWAYS, scale: &SMALL }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_lags_loses_what_it_never_heard_of_and_nothing_else() {
    let faults = [(ReplicaPromoted, 1)];
    Plan { seed: 11, faults: &faults, apart: 200, server: ALWAYS, scale: &SMALL }.run().await;
}
