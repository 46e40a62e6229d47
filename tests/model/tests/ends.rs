//! Nothing goes round in circles: every path through an instance ends. So what holds where nothing happens any more
//! holds for every run.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use stateright::Model as _;
use task_model::{Budget, Protocol, Scenario, World};

#[derive(Default)]
struct Walk {
    /// True once everything behind a state was walked through.
    seen: HashMap<u64, bool>,
}

impl Walk {
    fn from(&mut self, protocol: &Protocol, world: &World) {
        let mut hasher = DefaultHasher::new();
        world.hash(&mut hasher);
        let here = hasher.finish();
        if let Some(done) = self.seen.get(&here) {
            assert!(done, "a circle through {world:#?}");
            return;
        }
        self.seen.insert(here, false);
        for (_, next) in protocol.next_steps(world) {
            self.from(protocol, &next);
        }
        self.seen.insert(here, true);
    }
}

fn every_path_ends(scenario: Scenario) {
    let protocol = Protocol::new(scenario);
    let mut walk = Walk::default();
    for world in protocol.init_states() {
        walk.from(&protocol, &world);
    }
    eprintln!("no circle in {} states", walk.seen.len());
    assert!(walk.seen.len() > 1000);
}

#[test]
fn every_path_ends_where_things_go_wrong_on_the_wire_and_workers_stop_and_die() {
    let budget = Budget { mishaps: 1, crashes: 1, freezes: 1, ..Budget::default() };
    every_path_ends(Scenario::new(1, 2, budget).producing().bare());
}

#[test]
fn every_path_ends_where_users_cancel_and_replay_and_the_backend_is_away() {
    let budget = Budget { cancels: 1, replays: 1, outages: 1, failures: 1, releases: 1, ..Budget::default() };
    every_path_ends(Scenario::new(1, 2, budget));
}

#[test]
fn every_path_ends_where_the_backend_loses_its_last_writes() {
    let budget = Budget { losses: 1, crashes: 1, ..Budget::default() };
    every_path_ends(Scenario::new(1, 2, budget));
}
