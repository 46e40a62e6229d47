//! The protocol, as the checker walks through it.

use std::{collections::BTreeSet, fmt};

use stateright::{Checker as _, HasDiscoveries, Model, Property};

use crate::{
    action::{self, Action},
    promise,
    scenario::Scenario,
    world::World,
};

/// An instance of the protocol, for `stateright`.
#[derive(Clone, Debug)]
pub struct Protocol {
    pub(crate) scenario: Scenario,
}

impl Protocol {
    /// This instance.
    pub fn new(scenario: Scenario) -> Self {
        Self { scenario }
    }

    /// Walks through every state, nearest first, until a promise is found broken.
    pub fn check(self) -> Checked {
        self.walk(HasDiscoveries::AnyFailures)
    }

    /// Walks until this promise is found broken.
    pub fn look_for(self, promise: &'static str) -> Checked {
        self.walk(HasDiscoveries::AnyOf(BTreeSet::from([promise])))
    }

    fn walk(self, until: HasDiscoveries) -> Checked {
        let checker = self.checker().finish_when(until.clone()).spawn_bfs().join();
        let wanted = |name: &str| match &until {
            HasDiscoveries::AnyOf(names) => names.contains(name),
            _ => promise::PROMISES.iter().any(|(promise, _)| *promise == name),
        };
        let mut found = checker.discoveries().into_iter();
        let broken = found.find(|(name, _)| wanted(name));
        Checked {
            states: checker.unique_state_count(),
            steps: checker.state_count(),
            broken: broken.map(|(promise, path)| Counterexample { promise, actions: path.into_actions() }),
            seen: checker.discoveries().into_keys().collect(),
        }
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.scenario)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        action::possible(world, &self.scenario, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(&self.scenario, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promise::properties()
    }
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// Different states.
    pub states: usize,
    /// Steps that led to them.
    pub steps: usize,
    /// A promise that does not hold.
    pub broken: Option<Counterexample>,
    /// What was seen to happen, by name.
    pub seen: Vec<&'static str>,
}

/// How a promise is broken.
#[derive(Debug)]
pub struct Counterexample {
    /// Which.
    pub promise: &'static str,
    /// The shortest way to it.
    pub actions: Vec<Action>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "not kept: {}, after", self.promise)?;
        self.actions.iter().try_for_each(|action| writeln!(f, "  {action:?}"))
    }
}
