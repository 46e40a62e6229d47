//! What can happen next.

use crate::{
    backend::Status,
    id::{Incarnation, Task, Token, Worker},
    process::{Doing, Life, Producer},
    scenario::Scenario,
    wire::{End, Request},
    world::World,
};

/// One step of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A producer begins to send its task.
    Enqueue(Task),
    /// A worker that looks for work sends a claim.
    Claim(Worker),
    /// A parked worker takes the wake token, or is called for a name.
    Wake(Worker),
    /// A parked worker looks by itself, as it does every five seconds. A look that would find nothing is left out.
    LookAgain(Worker),
    /// An attempt ends, and its worker sends that.
    End(Worker, End),
    /// A heartbeat. One that would change nothing is left out.
    Beat(Worker),
    /// A request is carried out. Its reply may be `lost`; a `copy` of it may be under way still.
    Arrive {
        /// Which.
        request: Request,
        /// Nobody hears the answer.
        lost: bool,
        /// It will arrive once more.
        copy: bool,
    },
    /// A worker that has heard nothing sends its call again.
    ResendCall(Worker),
    /// So does a producer.
    ResendEnqueue(Task),
    /// What a dead process had sent never arrives.
    Vanish(Request),
    /// A process is stopped.
    Freeze(Worker),
    /// It goes on.
    Thaw(Worker),
    /// It dies.
    Crash(Worker),
    /// Another start in its place.
    Restart(Worker),
    /// The lease of one that gave no sign of life ends.
    LeaseEnds(Incarnation),
    /// The backend is away for longer than any lease.
    Outage,
    /// A replica of the backend hears nothing more from now on.
    Lag,
    /// It takes the backend's place: what was written since is lost.
    LoseWrites,
    /// A heartbeat says what its worker holds. One that would change nothing is left out.
    SayHolds(Worker),
    /// So much time that every live worker has beaten since the outage.
    GraceEnds,
    /// Housekeeping: gives back the tasks of one whose lease has ended.
    Reap(Incarnation),
    /// Housekeeping: the backoff of a task is over.
    Promote(Task),
    /// A user cancels.
    Cancel(Task),
    /// A user replays.
    Replay(Task),
}

pub(crate) fn possible(world: &World, scenario: &Scenario, actions: &mut Vec<Action>) {
    of_workers(world, scenario, actions);
    of_the_wire(world, actions);
    of_the_backend(world, scenario, actions);
    of_users(world, actions);
}

fn of_workers(world: &World, scenario: &Scenario, actions: &mut Vec<Action>) {
    let left = &world.left;
    for (worker, process) in (0..).zip(&world.processes) {
        match process.life {
            Life::Dead => {
                actions.push(Action::Restart(worker));
                continue;
            }
            Life::Frozen => actions.push(Action::Thaw(worker)),
            Life::Up if left.freezes > 0 => actions.push(Action::Freeze(worker)),
            Life::Up => {}
        }
        if left.crashes > 0 {
            actions.push(Action::Crash(worker));
        }
        // the server pushes a token also into the socket of a process that is stopped
        let token = world.backend.wake || world.backend.called.contains(&worker);
        if process.is_parked() && token {
            actions.push(Action::Wake(worker));
        }
        if !process.is_up() {
            continue;
        }
        match process.doing {
            Doing::Looking { .. } => actions.push(Action::Claim(worker)),
            Doing::Parked if world.would_find_something(scenario, worker) => {
                actions.push(Action::LookAgain(worker));
            }
            Doing::Running { task, cancel, .. } => {
                if !scenario.rules.knows(worker, task) {
                    actions.push(Action::End(worker, End::UnknownName));
                } else {
                    actions.push(Action::End(worker, End::Value));
                    let others = [
                        (End::Failure, left.failures > 0),
                        (End::Released, left.releases > 0),
                        (End::Stopped, cancel),
                    ];
                    let may = others.iter().filter(|(_, may)| *may);
                    actions.extend(may.map(|(end, _)| Action::End(worker, *end)));
                }
            }
            Doing::Claiming | Doing::Settling { .. } | Doing::Parked => {}
        }
        if process.call().is_some_and(|call| !world.wire.contains(&call)) {
            actions.push(Action::ResendCall(worker));
        }
        if world.beat_would_tell(worker) {
            actions.push(Action::Beat(worker));
        }
        if world.holds_would_tell(&scenario.rules, worker).is_some() {
            actions.push(Action::SayHolds(worker));
        }
    }
}

fn of_the_wire(world: &World, actions: &mut Vec<Action>) {
    for request in world.wire.iter().copied() {
        actions.push(Action::Arrive { request, lost: false, copy: false });
        if world.left.mishaps > 0 {
            if world.awaits(request) {
                actions.push(Action::Arrive { request, lost: true, copy: false });
            }
            actions.push(Action::Arrive { request, lost: false, copy: true });
        }
        let (Request::Claim { token: Token { holder, .. }, .. }
        | Request::Settle { token: Token { holder, .. }, .. }
        | Request::Holds { holder, .. }) = request
        else {
            continue;
        };
        if !world.processes[usize::from(holder.worker)].is(holder) {
            actions.push(Action::Vanish(request));
        }
    }
}

fn of_the_backend(world: &World, scenario: &Scenario, actions: &mut Vec<Action>) {
    let backend = &world.backend;
    let grace = backend.in_grace(&scenario.rules);
    for (incarnation, member) in &backend.members {
        let process = &world.processes[usize::from(incarnation.worker)];
        let beats = process.is(*incarnation) && process.is_up();
        if !member.due && !beats {
            actions.push(Action::LeaseEnds(*incarnation));
        }
        if member.due && !grace {
            actions.push(Action::Reap(*incarnation));
        }
    }
    if world.left.outages > 0 && !backend.silent {
        actions.push(Action::Outage);
    }
    if world.left.losses > 0 {
        actions.push(if world.replica.is_some() { Action::LoseWrites } else { Action::Lag });
    }
    let fresh = |incarnation| backend.members.get(&incarnation).is_none_or(|member| !member.due);
    if grace && world.processes.iter().all(|process| !process.is_up() || fresh(process.incarnation)) {
        actions.push(Action::GraceEnds);
    }
    for (task, record) in (0..).zip(&backend.records) {
        if record.as_ref().is_some_and(|record| record.status == Status::Retry) {
            actions.push(Action::Promote(task));
        }
    }
}

fn of_users(world: &World, actions: &mut Vec<Action>) {
    for (task, producer) in (0..).zip(&world.producers) {
        match producer {
            Producer::Before => actions.push(Action::Enqueue(task)),
            Producer::Sending if !world.wire.contains(&Request::Enqueue(task)) => {
                actions.push(Action::ResendEnqueue(task));
            }
            Producer::Sending | Producer::Acknowledged => {}
        }
        let Some(record) = world.backend.record(task) else { continue };
        if world.left.cancels > 0 && !record.status.is_final() && !record.cancel {
            actions.push(Action::Cancel(task));
        }
        if world.left.replays > 0 && matches!(record.status, Status::Failed | Status::Cancelled) {
            actions.push(Action::Replay(task));
        }
    }
}
