//! A network that is slow, that cuts, or that says nothing.

use crate::{
    fault::Fault::{ClientsKilled, Cut, HalfOpen, Latency, NobodyLetIn, ReplyLost, ScriptsFlushed},
    run::{ALWAYS, Plan},
    scale::SMALL,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_are_cut_and_replies_lost_after_their_effect_and_each_task_runs_as_often_as_it_should() {
    let faults =
        [(ReplyLost, 6), (Cut, 3), (ClientsKilled, 3), (ScriptsFlushed, 3), (Latency, 1), (NobodyLetIn, 1)];
    Plan { seed: 4, faults: &faults, apart: 150, server: ALWAYS, scale: &SMALL }.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_are_half_open_for_ever_are_given_up_and_replaced() {
    let faults = [(HalfOpen, 2)];
    Plan { seed: 5, faults: &faults, apart: 150, server: ALWAYS, scale: &SMALL }.run().await;
}
