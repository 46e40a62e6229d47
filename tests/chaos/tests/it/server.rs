//! A server that dies, stalls, or has no room.

use crate::{
    fault::Fault::{MemoryFull, ServerKilled, ServerRestarted, ServerStalled},
    run::{ALWAYS, Plan},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_again_and_again_loses_nothing_and_nobody_is_taken_for_dead() {
    let faults = [(ServerKilled, 3), (ServerRestarted, 1)];
    Plan { seed: 6, faults: &faults, apart: 200, server: ALWAYS }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stalls_for_longer_than_a_lease_takes_no_task_from_a_live_worker() {
    let faults = [(ServerStalled, 1)];
    Plan { seed: 7, faults: &faults, apart: 200, server: ALWAYS }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_without_memory_refuses_what_is_new_and_drains_the_rest() {
    let faults = [(MemoryFull, 2)];
    Plan { seed: 8, faults: &faults, apart: 200, server: ALWAYS }.run().await;
}
