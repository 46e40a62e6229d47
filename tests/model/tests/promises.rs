//! Every promise holds in every state of these instances.

use task_model::{Budget, Protocol, Scenario};

/// Walks through all of an instance; `sights` must be among what happens in it.
fn holds(name: &str, scenario: Scenario, sights: &[&str]) {
    let started = std::time::Instant::now();
    let checked = Protocol::new(scenario).check();
    eprintln!("{name}: {} states, {} steps, {:.1?}", checked.states, checked.steps, started.elapsed());
    if let Some(found) = checked.broken {
        panic!("{found}");
    }
    for sight in sights {
        assert!(checked.seen.contains(sight), "{sight}: never in {name}");
    }
}

const DONE: &str = "all tasks are completed";
const FORGOTTEN: &str = "a worker says that it holds no more what the backend takes it to hold";
const ZOMBIE: &str = "a token is shown that is not current any more";

#[test]
fn with_nothing_going_wrong_three_tasks_run_once_each() {
    holds("calm", Scenario::new(3, 2, Budget::default()).producing(), &[DONE]);
}

#[test]
fn replies_are_lost_and_copies_of_requests_arrive_late() {
    let budget = Budget { mishaps: 2, ..Budget::default() };
    holds("mishaps", Scenario::new(2, 2, budget).producing(), &[DONE]);
}

#[test]
fn a_process_dies_under_an_orchestrator_and_a_request_of_it_arrives_late() {
    let budget = Budget { crashes: 1, mishaps: 1, ..Budget::default() };
    holds("crash", Scenario::new(2, 2, budget), &[DONE]);
}

#[test]
fn bare_workers_die_and_a_task_that_kills_them_ends() {
    let budget = Budget { crashes: 2, ..Budget::default() };
    holds("bare crashes", Scenario::new(2, 2, budget).bare(), &[DONE]);
}

#[test]
fn a_stopped_process_goes_on_after_its_tasks_were_given_to_another() {
    let budget = Budget { freezes: 1, mishaps: 1, ..Budget::default() };
    holds("freeze", Scenario::new(2, 2, budget).bare(), &[DONE, ZOMBIE]);
}

#[test]
fn the_backend_is_away_for_longer_than_a_lease_while_a_worker_dies() {
    let budget = Budget { outages: 1, crashes: 1, mishaps: 1, ..Budget::default() };
    holds("outage", Scenario::new(2, 2, budget).bare(), &[DONE]);
}

#[test]
fn the_backend_loses_its_last_writes_and_no_task_is_held_for_ever_by_a_worker_that_forgot_it() {
    let budget = Budget { losses: 1, mishaps: 1, ..Budget::default() };
    holds("writes lost", Scenario::new(2, 2, budget), &[DONE, FORGOTTEN]);
}

#[test]
fn attempts_fail_and_are_given_back() {
    let budget = Budget { failures: 2, releases: 1, mishaps: 1, ..Budget::default() };
    holds("ends", Scenario::new(2, 2, budget), &[DONE]);
}

#[test]
fn tasks_are_cancelled_and_replayed_wherever_they_are() {
    let budget = Budget { cancels: 1, replays: 1, crashes: 1, ..Budget::default() };
    holds("cancel and replay", Scenario::new(2, 2, budget), &[DONE, ZOMBIE]);
}

#[test]
fn a_task_of_a_name_that_one_worker_does_not_know_runs_in_the_other() {
    let budget = Budget { crashes: 1, cancels: 1, ..Budget::default() };
    holds("names", Scenario::new(2, 2, budget).unknown(0), &[DONE]);
}
