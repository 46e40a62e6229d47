//! Processes that die.

use crate::{
    fault::Fault::{AllKilled, LoneWorkerKilled, OrchestratorKilled, WorkerKilled},
    run::{ALWAYS, Plan},
    scale::SMALL,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_and_their_orchestrator_are_killed_again_and_again_under_load() {
    let faults = [(WorkerKilled, 6), (OrchestratorKilled, 2), (LoneWorkerKilled, 2), (AllKilled, 1)];
    Plan { seed: 1, faults: &faults, apart: 200, server: ALWAYS, scale: &SMALL }.run().await;
}
