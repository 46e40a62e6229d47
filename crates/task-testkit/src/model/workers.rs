use std::{collections::BTreeMap, sync::Arc};

use task_core::{
    FailureKind, Heartbeat, HeartbeatReply, Incarnation, Registration, TaskId, TaskStatus, Token,
};

use super::{CLOSED_FOR, Place, Space, Worker};

impl Space {
    pub(super) fn worker(&self, incarnation: Incarnation) -> Option<usize> {
        self.workers.iter().position(|worker| worker.incarnation == incarnation)
    }

    /// A sign of life: the place of the worker, or none if it is closed.
    pub(super) fn register(
        &mut self,
        worker: Incarnation,
        registration: &Arc<Registration>,
    ) -> Option<usize> {
        if self.released.iter().any(|(id, _)| *id == worker.id())
            || self.ended.iter().any(|(ended, _)| *ended == worker)
        {
            return None;
        }
        let place = self.worker(worker).unwrap_or_else(|| {
            self.workers.push(Worker {
                incarnation: worker,
                registration: registration.clone(),
                lease_end: self.now,
                since: self.now,
                seen: self.now,
                busy: 0,
                commands: Vec::new(),
                told_to_empty: false,
                claims: BTreeMap::new(),
                newest: 0,
                acked: 0,
            });
            self.workers.len() - 1
        });
        let worker = &mut self.workers[place];
        worker.seen = self.now;
        worker.lease_end = self.now + registration.lease;
        for name in &worker.registration.names {
            self.unknown.entry(name.clone()).and_modify(|known| *known = self.now);
        }
        Some(place)
    }

    pub(crate) fn heartbeat(&mut self, beat: &Heartbeat) -> HeartbeatReply {
        self.tick();
        let mut reply = HeartbeatReply::default();
        let Some(worker) = self.register(beat.worker, &beat.registration) else {
            reply.closed = true;
            return reply;
        };
        self.workers[worker].busy = beat.busy;
        if self.workers[worker].registration.concurrency != beat.registration.concurrency {
            self.workers[worker].registration = beat.registration.clone();
        }
        let commands = &mut self.workers[worker].commands;
        commands.retain(|(number, _)| *number > beat.heard);
        reply.told = commands.last().map_or(0, |(number, _)| *number);
        reply.commands = commands.iter().map(|(_, command)| *command).collect();
        if let Some(holds) = &beat.holds {
            self.next_step();
            let unheld = |token: Token, id: &TaskId| {
                let named = || holds.tasks.iter().any(|(claim, held)| (*claim, held) == (token.claim, id));
                token.worker == beat.worker && holds.speaks_of(token.claim) && !named()
            };
            let given_back = self.take_back(unheld);
            self.totals.recovered_lost += given_back;
        }
        self.housekeeping();
        for update in &beat.progress {
            if let Some(place) = self.find(&update.id)
                && self.tasks[place].place == Place::Running(update.token)
            {
                let mut progress = update.progress.clone();
                progress.at = self.now;
                self.tasks[place].record.progress = Some(progress);
            }
        }
        for place in self.held_by(beat.worker).collect::<Vec<_>>() {
            let task = &self.tasks[place];
            if let Place::Running(token) = task.place
                && task.record.cancel_requested
            {
                reply.cancel.push((task.record.id.clone(), token));
            }
        }
        reply.run_empty = self.asks_to_run_empty(beat.worker);
        reply
    }

    /// Whether a worker was told otherwise the last time.
    pub(crate) fn turns(&mut self, worker: Incarnation, run_empty: bool) -> bool {
        let Some(place) = self.worker(worker) else { return false };
        std::mem::replace(&mut self.workers[place].told_to_empty, run_empty) != run_empty
    }

    pub(crate) fn release(&mut self, worker: Incarnation) -> u64 {
        self.tick();
        self.released.push((worker.id(), self.now + CLOSED_FOR));
        self.next_step();
        let given_back = self.give_back(|incarnation| incarnation.id() == worker.id());
        self.totals.recovered_released += given_back;
        given_back
    }

    /// The places of the tasks that run under a worker.
    pub(super) fn held_by(&self, worker: Incarnation) -> impl Iterator<Item = usize> {
        let tasks = self.tasks.iter().enumerate();
        let held =
            tasks.filter(move |(_, t)| matches!(t.place, Place::Running(token) if token.worker == worker));
        held.map(|(place, _)| place)
    }

    /// Those workers are dead: their tasks go back, and how many that were.
    pub(super) fn give_back(&mut self, is_dead: impl Fn(Incarnation) -> bool) -> u64 {
        self.workers.retain(|worker| !is_dead(worker.incarnation));
        self.take_back(|token, _| is_dead(token.worker))
    }

    /// What nobody holds any more of these attempts goes back, and how many that were.
    fn take_back(&mut self, is_lost: impl Fn(Token, &TaskId) -> bool) -> u64 {
        let mut given_back = 0;
        for place in 0..self.tasks.len() {
            let task = &mut self.tasks[place];
            let Place::Running(token) = task.place else { continue };
            if !is_lost(token, &task.record.id) {
                continue;
            }
            given_back += 1;
            task.record.crashes += 1;
            task.rests = None;
            if task.record.cancel_requested {
                self.end(place, TaskStatus::Cancelled, FailureKind::Cancelled, "cancelled while it ran");
            } else if task.record.crashes > u32::from(task.message.max_crashes) {
                self.end(
                    place,
                    TaskStatus::Failed,
                    FailureKind::Crashed,
                    "its worker died under it too often",
                );
            } else {
                self.tasks[place].record.progress = None;
                self.make_pending(place, true);
            }
        }
        given_back
    }

    /// Whether this worker is the one that is asked to run empty for a suspect.
    pub(super) fn asks_to_run_empty(&mut self, worker: Incarnation) -> bool {
        if self.runs_empty.is_some_and(|asked| !self.can_be_asked(asked)) {
            self.runs_empty = None;
        }
        if self.runs_empty.is_none() && self.can_be_asked(worker) {
            self.runs_empty = Some(worker);
        }
        self.runs_empty == Some(worker)
    }

    pub(crate) fn alive(&self) -> impl Iterator<Item = Incarnation> {
        self.workers.iter().map(|worker| worker.incarnation)
    }

    /// A suspect waits that this worker may take once it holds nothing.
    pub(crate) fn can_be_asked(&self, worker: Incarnation) -> bool {
        let Some(open) = self.worker(worker).map(|place| &self.workers[place]) else { return false };
        let waits = self.tasks.iter().any(|task| task.waits_alone(&open.registration.names));
        !self.paused && waits && !self.held_by(worker).any(|place| self.tasks[place].is_suspect())
    }
}
