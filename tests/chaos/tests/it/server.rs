//! A server that dies, stalls, or has no room.

use crate::{
    fault::Fault::{DiskFull, MemoryFull, ServerKilled, ServerRestarted, ServerStalled, SlowReader},
    run::{ALWAYS, EVERY_SECOND, Plan},
    scale::SMALL,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_again_and_again_loses_nothing_and_nobody_is_taken_for_dead() {
    let faults = [(ServerKilled, 3), (ServerRestarted, 1)];
    Plan { seed: 6, faults: &faults, apart: 200, server: ALWAYS, scale: &SMALL }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stalls_for_longer_than_a_lease_takes_no_task_from_a_live_worker() {
    Plan { seed: 7, faults: &[(ServerStalled, 1)], apart: 200, server: ALWAYS, scale: &SMALL }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_without_memory_refuses_what_is_new_and_drains_the_rest() {
    Plan { seed: 8, faults: &[(MemoryFull, 2)], apart: 200, server: ALWAYS, scale: &SMALL }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_whose_disk_is_full_is_waited_for_whether_it_refuses_or_ends() {
    let faults = [(DiskFull, 1), (SlowReader, 1)];
    let seed = 13;
    tokio::join!(
        Plan { seed, faults: &faults, apart: 150, server: ALWAYS, scale: &SMALL }.run(),
        Plan { seed: seed + 1, faults: &faults, apart: 150, server: EVERY_SECOND, scale: &SMALL }.run(),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_syncs_each_second_loses_no_more_than_that_when_it_is_killed() {
    let faults = [(ServerKilled, 2), (ServerRestarted, 1)];
    Plan { seed: 15, faults: &faults, apart: 200, server: EVERY_SECOND, scale: &SMALL }.run().await;
}
