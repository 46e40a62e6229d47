//! Clocks that jump. Workers' clocks decide nothing: what is due, and who is alive, is by the server's.

use crate::{
    fault::Fault::{ClockBack, ClockFarBack, ClockForward, WorkersClocks},
    run::{ALWAYS, Plan},
    scale::SMALL,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_whose_clock_jumps_takes_no_task_from_a_live_worker_and_forgets_none() {
    let faults = [(ClockForward, 2), (ClockBack, 2), (ClockFarBack, 1)];
    Plan { seed: 12, faults: &faults, apart: 150, server: ALWAYS, scale: &SMALL }.run().await;
}

/// Leases, due times and expiry go by the server's clock, and durations by one that nobody sets.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_whose_clocks_jump_by_an_hour_are_not_taken_for_dead_and_start_nothing_early() {
    let faults = [(WorkersClocks, 2)];
    Plan { seed: 16, faults: &faults, apart: 150, server: ALWAYS, scale: &SMALL }.run().await;
}
