//! A protocol with one rule left out breaks a promise, and the checker says which. Were one of these not caught, the
//! checker would prove nothing of the whole one.

use task_model::{Broken, Budget, Protocol, Scenario};

fn caught(rule: Broken, scenario: Scenario, promise: &'static str) {
    let checked = Protocol::new(scenario.without(rule)).look_for(promise);
    let found =
        checked.broken.unwrap_or_else(|| panic!("{rule:?} was not caught in {} states", checked.states));
    eprintln!("{rule:?}: {} states, {} actions: {promise}", checked.states, found.actions.len());
}

#[test]
fn without_fencing_one_that_lost_a_task_ends_it() {
    let budget = Budget { freezes: 1, ..Budget::default() };
    caught(Broken::NoFence, Scenario::new(1, 2, budget), "who lost a task changes nothing of it");
}

#[test]
fn with_a_destructive_pop_a_death_loses_the_task() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    caught(Broken::DestructivePop, Scenario::new(1, 2, budget), "no acknowledged task is lost");
}

#[test]
fn without_grace_an_outage_takes_tasks_from_live_workers() {
    let budget = Budget { outages: 1, ..Budget::default() };
    caught(Broken::ReapWithoutGrace, Scenario::new(1, 2, budget), "an outage is no crash");
}

#[test]
fn without_claim_numbers_a_lost_reply_loses_its_task() {
    let budget = Budget { mishaps: 1, ..Budget::default() };
    let promise = "whatever is sent again changes nothing";
    caught(Broken::ClaimNumberNotKept, Scenario::new(2, 1, budget), promise);
}

/// A live worker held a task that it did not know of, until its heartbeat gave it back as crashed: the copy of a claim that
/// had brought nothing took it, and its worker had gone on to the next number.
#[test]
fn without_asking_again_by_the_number_of_an_empty_claim_its_late_copy_takes_a_task_that_nobody_runs() {
    let budget = Budget { mishaps: 1, ..Budget::default() };
    let scenario = Scenario::new(1, 1, budget).producing();
    let promise = "a heartbeat takes nothing but what a loss of writes left behind";
    caught(Broken::EmptyClaimAcknowledged, scenario, promise);
}

#[test]
fn a_body_that_is_written_before_its_token_is_checked_overwrites_a_result() {
    let budget = Budget { freezes: 1, ..Budget::default() };
    caught(Broken::BodyBeforeCheck, Scenario::new(1, 2, budget), "who lost a task changes nothing of it");
}

#[test]
fn an_old_entry_that_is_taken_after_cancel_and_replay_runs_a_task_twice() {
    let budget = Budget { cancels: 1, replays: 1, ..Budget::default() };
    let promise = "a task runs again only after a counted end";
    caught(Broken::OldEntryTaken, Scenario::new(1, 2, budget), promise);
}

#[test]
fn a_claim_that_does_not_pass_its_wake_on_leaves_a_worker_parked_beside_a_ready_task() {
    let scenario = Scenario::new(2, 2, Budget::default()).producing();
    caught(Broken::WakeNotPassedOn, scenario, "no wake-up is forgotten");
}

/// The copy of a claim took a task, and its worker was answered that task again: the wake that it had was for another.
#[test]
fn a_claim_that_is_answered_as_before_and_keeps_its_wake_leaves_a_worker_parked() {
    let budget = Budget { mishaps: 1, ..Budget::default() };
    let scenario = Scenario::new(2, 2, budget).producing();
    caught(Broken::ResendWakesNobody, scenario, "no wake-up is forgotten");
}

#[test]
fn a_task_given_back_without_a_wake_leaves_a_worker_parked() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    caught(Broken::ReapWakesNobody, Scenario::new(1, 2, budget), "no wake-up is forgotten");
}

#[test]
fn a_start_that_goes_by_the_incarnation_of_the_dead_runs_its_task_again_uncounted() {
    let budget = Budget { crashes: 1, ..Budget::default() };
    let promise = "a task runs again only after a counted end";
    caught(Broken::IncarnationReused, Scenario::new(1, 2, budget).bare(), promise);
}

#[test]
fn a_cancel_that_is_forgotten_at_a_death_runs_what_was_cancelled() {
    let budget = Budget { crashes: 1, cancels: 1, ..Budget::default() };
    caught(Broken::CancelForgotten, Scenario::new(1, 2, budget), "what was cancelled runs no more");
}

#[test]
fn a_task_whose_end_was_lost_and_that_its_worker_is_not_asked_for_is_held_for_ever() {
    let budget = Budget { losses: 1, ..Budget::default() };
    caught(Broken::LostEndKept, Scenario::new(1, 1, budget), "no acknowledged task is lost");
}

/// The answer to a claim was lost, and before the claim was sent again a heartbeat gave back what it had brought.
#[test]
fn a_heartbeat_that_speaks_of_a_claim_under_way_takes_what_its_worker_is_about_to_run() {
    let budget = Budget { mishaps: 1, ..Budget::default() };
    let promise = "a heartbeat takes nothing but what a loss of writes left behind";
    caught(Broken::ClaimUnderWaySpokenOf, Scenario::new(1, 1, budget), promise);
}
