//! The promises of the design as properties that hold in every state.

use stateright::{Model as _, Property};

use crate::{
    action::Action, backend::Status, model::Protocol, process::Producer, wire::Request, world::World,
};

type Promise = (&'static str, fn(&Protocol, &World) -> bool);

/// All of them, by the names that docs/reliability.md uses.
pub(crate) const PROMISES: &[Promise] = &[
    ("no acknowledged task is lost", no_acknowledged_task_is_lost),
    ("every task is in exactly one place", every_task_is_in_exactly_one_place),
    ("a final state stays", |_, world| !world.ledger.wrongs.ended_twice),
    ("a task runs again only after a counted end", |_, world| !world.ledger.wrongs.uncounted),
    ("claims equal counted ends", claims_equal_counted_ends),
    ("who lost a task changes nothing of it", |_, world| !world.ledger.wrongs.unfenced),
    ("whatever is sent again changes nothing", whatever_is_sent_again_changes_nothing),
    ("no wake-up is forgotten", no_wake_up_is_forgotten),
    ("an outage is no crash", |_, world| !world.ledger.wrongs.live_reaped),
    ("a heartbeat takes nothing but what a loss of writes left behind", |_, world| {
        !world.ledger.wrongs.taken
    }),
    ("what was cancelled runs no more", |_, world| !world.ledger.wrongs.ran_after_cancel),
];

/// What some scenario must reach, so that the promises are not kept by nothing happening.
const SIGHTS: &[Promise] = &[
    ("all tasks are completed", |_, world| {
        world.backend.records.iter().flatten().filter(|record| record.status == Status::Completed).count()
            == world.backend.records.len()
    }),
    ("a worker says that it holds no more what the backend takes it to hold", |_, world| {
        world.wire.iter().any(|request| matches!(request, Request::Holds { .. }))
    }),
    ("a token is shown that is not current any more", |_, world| {
        world.wire.iter().any(|request| match request {
            Request::Settle { token, task, .. } => world
                .backend
                .record(*task)
                .is_some_and(|record| record.held.is_some_and(|held| held != *token)),
            _ => false,
        })
    }),
];

pub(crate) fn properties() -> Vec<Property<Protocol>> {
    let promises = PROMISES.iter().map(|(name, holds)| Property::always(name, *holds));
    promises.chain(SIGHTS.iter().map(|(name, holds)| Property::sometimes(name, *holds))).collect()
}

/// What was acknowledged is stored, and when nothing happens by itself any more, it is final. No sequence of actions
/// goes on for ever (a test walks through all of them), so each task gets there.
fn no_acknowledged_task_is_lost(protocol: &Protocol, world: &World) -> bool {
    let all_are = |good: fn(Status) -> bool| {
        world.producers.iter().zip(&world.backend.records).all(|(producer, record)| {
            *producer != Producer::Acknowledged || record.as_ref().is_some_and(|record| good(record.status))
        })
    };
    all_are(|_| true) && (all_are(Status::is_final) || !protocol.is_at_rest(world))
}

fn every_task_is_in_exactly_one_place(_: &Protocol, world: &World) -> bool {
    let backend = &world.backend;
    (0..).zip(&backend.records).all(|(task, record)| {
        let entries = backend.ready.iter().filter(|entry| **entry == task).count();
        let aside = usize::from(backend.aside.contains(&task));
        let Some(record) = record else { return entries + aside == 0 };
        let holder = record.held.map(|token| token.holder);
        match record.status {
            Status::Pending => holder.is_none() && entries + aside == 1,
            // from where the end of a lease, or a release, gives it back
            Status::Running => {
                entries + aside == 0 && holder.is_some_and(|holder| backend.members.contains_key(&holder))
            }
            Status::Retry => holder.is_none() && entries + aside == 0,
            _ => holder.is_none() && aside == 0 && entries == usize::from(record.tombstone),
        }
    })
}

/// Claims = failures + crashes + releases + 1 if the last one ended by the task's own word, + 1 while one runs. A claim
/// of a worker without that name is taken back.
fn claims_equal_counted_ends(_: &Protocol, world: &World) -> bool {
    world.backend.records.iter().zip(&world.ledger.before_replay).all(|(record, before_replay)| {
        let Some(record) = record else { return true };
        let counted = before_replay + record.failures + record.crashes + record.releases;
        let open = record.attempts.checked_sub(counted);
        match record.status {
            Status::Running | Status::Completed => open == Some(1),
            Status::Pending | Status::Retry | Status::Failed => open == Some(0),
            // by its worker's word, or while it waited or crashed
            Status::Cancelled => open.is_some_and(|open| open <= 1),
        }
    })
}

/// At once; that it changes nothing later either is said by the other promises, since copies arrive at any time.
fn whatever_is_sent_again_changes_nothing(protocol: &Protocol, world: &World) -> bool {
    let rules = &protocol.scenario.rules;
    world.wire.iter().all(|request| {
        let mut once = world.backend.clone();
        let first = once.handle(rules, *request);
        let mut twice = once.clone();
        let second = twice.handle(rules, *request);
        once == twice && first == second
    })
}

/// While a live worker is parked, a ready task has woken one: the token lies there, or whoever took it is about to
/// claim, and its claim passes the wake on if it leaves anything.
fn no_wake_up_is_forgotten(protocol: &Protocol, world: &World) -> bool {
    let backend = &world.backend;
    let up = || world.processes.iter().filter(|process| process.is_up());
    let coming = up().any(|process| process.will_claim());
    let runnable =
        backend.ready.iter().any(|task| backend.record(*task).is_some_and(|r| !r.status.is_final()));
    let parked = up().any(|process| process.is_parked());
    let called = up().filter(|process| process.is_parked()).all(|process| {
        let worker = process.incarnation.worker;
        let mut known = backend.aside.iter().filter(|task| protocol.scenario.rules.knows(worker, **task));
        known.next().is_none() || backend.called.contains(&worker)
    });
    let woken = backend.wake || coming || world.ledger.wake_lost;
    (!runnable || !parked || woken) && (called || coming || world.ledger.wake_lost)
}

impl Protocol {
    /// Nothing happens any more unless something goes wrong, or a user acts.
    fn is_at_rest(&self, world: &World) -> bool {
        let mut actions = Vec::new();
        self.actions(world, &mut actions);
        actions.iter().all(|action| match action {
            Action::Crash(_) | Action::Freeze(_) | Action::Outage | Action::Lag | Action::LoseWrites => true,
            Action::Cancel(_) | Action::Replay(_) => true,
            Action::Arrive { lost, copy, .. } => *lost || *copy,
            _ => false,
        })
    }
}
