//! Everything at one moment, and how each action changes it.

use std::collections::BTreeSet;

use crate::{
    action::Action,
    backend::{Backend, Rules},
    broken::Broken,
    id::{Incarnation, Worker},
    ledger::Ledger,
    process::{Doing, Life, Process, Producer},
    scenario::{Budget, Scenario},
    wire::{End, Reply, Request},
};

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) backend: Backend,
    /// As far as the replica has followed, since it lags.
    pub(crate) replica: Option<Backend>,
    pub(crate) processes: Vec<Process>,
    pub(crate) producers: Vec<Producer>,
    /// Requests that have not arrived; several copies of one count as one, until it arrives for the last time.
    pub(crate) wire: BTreeSet<Request>,
    pub(crate) left: Budget,
    pub(crate) ledger: Ledger,
}

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut backend = Backend::new(scenario.tasks);
        let mut producers = vec![Producer::Before; usize::from(scenario.tasks)];
        if !scenario.producing {
            for task in 0..scenario.tasks {
                backend.enqueue(task);
                producers[usize::from(task)] = Producer::Acknowledged;
            }
        }
        Self {
            backend,
            replica: None,
            processes: (0..scenario.workers).map(Process::new).collect(),
            producers,
            wire: BTreeSet::new(),
            left: scenario.budget.clone(),
            ledger: Ledger::new(scenario.tasks),
        }
    }

    fn process(&mut self, worker: Worker) -> &mut Process {
        &mut self.processes[usize::from(worker)]
    }

    /// Whether somebody waits for the answer.
    pub(crate) fn awaits(&self, request: Request) -> bool {
        match request {
            Request::Enqueue(task) => self.producers[usize::from(task)] == Producer::Sending,
            Request::Release(_) | Request::Holds { .. } => false,
            Request::Claim { token, .. } | Request::Settle { token, .. } => {
                let process = &self.processes[usize::from(token.holder.worker)];
                process.is(token.holder) && process.call() == Some(request)
            }
        }
    }

    /// Whether a claim of this parked worker would bring a task.
    pub(crate) fn would_find_something(&self, scenario: &Scenario, worker: Worker) -> bool {
        let claim = self.processes[usize::from(worker)].next_claim();
        matches!(self.backend.clone().handle(&scenario.rules, claim), Reply::Given(_))
    }

    /// Whether a heartbeat would change anything: a lease that is due, or what its worker has not heard.
    pub(crate) fn beat_would_tell(&self, worker: Worker) -> bool {
        let process = &self.processes[usize::from(worker)];
        let due = self.backend.members.get(&process.incarnation).is_some_and(|member| member.due);
        due || self.backend.closed.contains(&process.incarnation) || self.unheard_cancel(process)
    }

    /// Whether the backend takes its worker to hold what it does not.
    pub(crate) fn holds_would_tell(&self, rules: &Rules, worker: Worker) -> Option<Request> {
        let holds = self.processes[usize::from(worker)].holds(rules);
        let mut after = self.backend.clone();
        after.handle(rules, holds);
        let tells = after.records != self.backend.records && !self.wire.contains(&holds);
        tells.then_some(holds)
    }

    fn unheard_cancel(&self, process: &Process) -> bool {
        let Doing::Running { task, token, cancel: false } = process.doing else { return false };
        self.backend.record(task).is_some_and(|record| record.cancel && record.held == Some(token))
    }

    /// Carries an action out.
    pub(crate) fn act(&mut self, scenario: &Scenario, action: Action) {
        let before = self.backend.clone();
        self.step(&scenario.rules, scenario.orchestrated, action);
        if action == Action::LoseWrites {
            // each worker looks again by itself
            (self.ledger.wake_lost, self.ledger.writes_lost) = (true, true);
            return;
        }
        self.ledger.watch(&before, &self.backend);
        if let Action::Arrive { request: Request::Holds { holder, .. }, .. } = action {
            let process = &self.processes[usize::from(holder.worker)];
            self.ledger.watch_taken(&before, &self.backend, process);
        }
        if let Action::Cancel(task) = action {
            self.ledger.cancel_answered(task);
        }
        let claimed = matches!(
            action,
            Action::Arrive { request: Request::Claim { token, .. }, .. } if !before.closed.contains(&token.holder)
        );
        if claimed || (self.backend.wake && !before.wake) {
            self.ledger.wake_lost = false;
        }
    }

    fn step(&mut self, rules: &Rules, orchestrated: bool, action: Action) {
        match action {
            Action::Enqueue(task) => {
                self.producers[usize::from(task)] = Producer::Sending;
                self.wire.insert(Request::Enqueue(task));
            }
            Action::ResendEnqueue(task) => _ = self.wire.insert(Request::Enqueue(task)),
            Action::Claim(worker) | Action::LookAgain(worker) => {
                self.process(worker).doing = Doing::Claiming;
                self.send_call(worker);
            }
            Action::Wake(worker) => {
                if !self.backend.called.remove(&worker) {
                    self.backend.wake = false;
                }
                self.process(worker).doing = Doing::Looking { woken: true };
            }
            Action::End(worker, end) => self.end(worker, end),
            Action::ResendCall(worker) => self.send_call(worker),
            Action::Beat(worker) => self.beat(rules, worker),
            Action::Arrive { request, lost, copy } => self.arrive(rules, request, lost, copy),
            Action::Vanish(request) => _ = self.wire.remove(&request),
            Action::Freeze(worker) => {
                self.left.freezes -= 1;
                self.ledger.may_lose_wake(&self.processes[usize::from(worker)]);
                self.process(worker).life = Life::Frozen;
            }
            Action::Thaw(worker) => self.process(worker).life = Life::Up,
            Action::Crash(worker) => self.crash(worker, orchestrated),
            Action::Restart(worker) => {
                let same = rules.lack(Broken::IncarnationReused);
                self.process(worker).doing = Doing::Parked;
                self.process(worker).start_afresh(same);
            }
            Action::LeaseEnds(incarnation) => {
                self.ledger.missed.insert(incarnation);
                self.backend.members.get_mut(&incarnation).expect("it is registered").due = true;
            }
            Action::Outage => {
                self.left.outages -= 1;
                self.backend.outage();
            }
            Action::Lag => self.replica = Some(self.backend.clone()),
            Action::LoseWrites => {
                self.left.losses -= 1;
                self.backend = self.replica.take().expect("a replica lags");
            }
            Action::SayHolds(worker) => {
                let holds = self.processes[usize::from(worker)].holds(rules);
                self.wire.insert(holds);
            }
            Action::GraceEnds => (self.backend.silent, self.backend.grace) = (false, false),
            Action::Reap(incarnation) => self.reap(rules, incarnation),
            Action::Promote(task) => self.backend.promote(task),
            Action::Cancel(task) => {
                self.left.cancels -= 1;
                self.backend.cancel(rules, task);
            }
            Action::Replay(task) => {
                self.left.replays -= 1;
                self.backend.replay(rules, task);
            }
        }
    }

    fn send_call(&mut self, worker: Worker) {
        let call = self.processes[usize::from(worker)].call();
        self.wire.extend(call);
    }

    fn end(&mut self, worker: Worker, end: End) {
        let process = &mut self.processes[usize::from(worker)];
        let Doing::Running { task, token, .. } = process.doing else { return };
        match end {
            End::Failure => self.left.failures -= 1,
            End::Released => self.left.releases -= 1,
            End::Value | End::Stopped | End::UnknownName => {}
        }
        process.doing = Doing::Settling { task, token, end };
        self.send_call(worker);
    }

    fn beat(&mut self, rules: &Rules, worker: Worker) {
        let process = &self.processes[usize::from(worker)];
        let (incarnation, cancelled) = (process.incarnation, self.unheard_cancel(process));
        if !self.backend.beat(rules, incarnation) {
            self.process(worker).start_afresh(false);
            return;
        }
        self.ledger.missed.remove(&incarnation);
        if let Doing::Running { cancel, .. } = &mut self.process(worker).doing {
            *cancel |= cancelled;
        }
    }

    fn arrive(&mut self, rules: &Rules, request: Request, lost: bool, copy: bool) {
        let awaited = self.awaits(request);
        if !copy {
            self.wire.remove(&request);
        }
        self.left.mishaps -= u8::from(lost) + u8::from(copy);
        let reply = self.backend.handle(rules, request);
        if let Request::Claim { token, .. } = request {
            self.ledger.missed.remove(&token.holder);
        }
        if lost || !awaited {
            return;
        }
        match request {
            Request::Enqueue(task) => self.producers[usize::from(task)] = Producer::Acknowledged,
            Request::Claim { token, .. } | Request::Settle { token, .. } => {
                if let Reply::Given(task) = reply {
                    self.ledger.starts(task, token);
                }
                self.process(token.holder.worker).receive(rules, reply);
            }
            Request::Release(_) | Request::Holds { .. } => {}
        }
    }

    fn crash(&mut self, worker: Worker, orchestrated: bool) {
        self.left.crashes -= 1;
        let process = &mut self.processes[usize::from(worker)];
        self.ledger.may_lose_wake(process);
        (process.life, process.doing) = (Life::Dead, Doing::Parked);
        if orchestrated {
            self.wire.insert(Request::Release(process.incarnation));
        }
    }

    fn reap(&mut self, rules: &Rules, incarnation: Incarnation) {
        let process = &self.processes[usize::from(incarnation.worker)];
        self.ledger.reaped(incarnation, process.is(incarnation) && process.is_up());
        self.backend.reap(rules, incarnation);
    }
}
