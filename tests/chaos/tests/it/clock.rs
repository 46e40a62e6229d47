//! Clocks that jump. Workers' clocks decide nothing: what is due, and who is alive, is by the server's.

use crate::{
    fault::Fault::{ClockBack, ClockFarBack, ClockForward},
    run::{ALWAYS, Plan},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_whose_clock_jumps_takes_no_task_from_a_live_worker_and_forgets_none() {
    let faults = [(ClockForward, 2), (ClockBack, 2), (ClockFarBack, 1)];
    Plan { seed: 12, faults: &faults, apart: 150, server: ALWAYS }.run().await;
}
