//! Processes that are stopped for longer than anybody waits for them, and then go on.

use crate::{
    fault::Fault::{AllFrozen, WorkerFrozen},
    run::{ALWAYS, Plan},
    scale::SMALL,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_come_back_after_two_leases_change_nothing_of_what_was_taken_from_them() {
    tokio::join!(
        Plan { seed: 2, faults: &[(WorkerFrozen, 1)], apart: 200, server: ALWAYS, scale: &SMALL }.run(),
        Plan { seed: 3, faults: &[(AllFrozen, 1)], apart: 200, server: ALWAYS, scale: &SMALL }.run(),
    );
}
