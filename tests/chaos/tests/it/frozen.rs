//! Processes that are stopped for longer than anybody waits for them, and then go on.

use crate::{
    fault::Fault::{AllFrozen, WorkerFrozen},
    run::{ALWAYS, Plan},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_that_comes_back_after_two_leases_changes_nothing_of_what_was_taken_from_it() {
    let faults = [(WorkerFrozen, 1)];
    Plan { seed: 2, faults: &faults, apart: 200, server: ALWAYS }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_were_all_stopped_for_two_leases_go_on_and_what_nobody_took_is_theirs() {
    let faults = [(AllFrozen, 1)];
    Plan { seed: 3, faults: &faults, apart: 200, server: ALWAYS }.run().await;
}
