//! What the loop is told: answers of the queue, ends of attempts, and what came with a heartbeat.

use std::sync::Arc;

use task_core::{
    Claimed, Delivery, Incarnation, Outcome, SettleAnswer, SettleReply, Settlement, WorkerCommand,
};
use tokio::sync::watch;

use super::{
    Engine,
    bench::Ended,
    books,
    call::{self, Answer},
    lane::Lane,
    share,
};
use crate::{
    attempt::{self, Unready},
    board::Held,
    heartbeat::Told,
    status::Status,
};

impl Engine {
    pub(super) fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Claimed { lane, worker, number, claimed } => {
                if worker != self.board.incarnation() {
                    return; // of a closed one: what it brought is given to others
                }
                match claimed {
                    Ok(claimed) => self.received(lane, number, claimed),
                    Err(_) => self.closed(worker),
                }
            }
            Answer::Settled { lane, worker, settlements, then, settled, took } => {
                let brought = settled.as_ref().ok().and_then(|reply| reply.claimed.as_ref()?.as_ref().ok());
                let carried = settlements.len() + brought.map_or(0, |claimed| claimed.tasks.len());
                self.way = books::way(self.way, took, carried);
                self.lanes[lane].settled(settlements.len());
                let current = worker == self.board.incarnation();
                match settled {
                    Ok(SettleReply { answers, claimed, .. }) => {
                        self.heard |= current;
                        self.settled(lane, &settlements, &answers);
                        match then.zip(claimed) {
                            Some((number, Ok(claimed))) if current => self.received(lane, number, claimed),
                            Some((_, Err(_))) => self.closed(worker),
                            Some((_, Ok(_))) | None => {}
                        }
                    }
                    Err(_) => self.closed(worker),
                }
            }
            Answer::Counted(left) => self.counted(left),
            Answer::PutOff { lane, settlement } => {
                self.put_off -= 1;
                self.owe(self.board.incarnation(), lane, settlement);
            }
        }
    }

    fn settled(&mut self, lane: usize, settlements: &[Settlement], answers: &[SettleAnswer]) {
        self.board.settled(&self.lanes[lane].name, settlements);
        for (settlement, answer) in settlements.iter().zip(answers) {
            match answer {
                SettleAnswer::Done | SettleAnswer::AlreadyDone => self.drained.count(&settlement.outcome),
                SettleAnswer::Stale => {
                    let id = settlement.delivery.id();
                    tracing::warn!(%id, "the end of this attempt was refused: the task was given to others");
                }
            }
        }
    }

    pub(super) fn received(&mut self, index: usize, number: u64, claimed: Claimed) {
        self.heard = true;
        self.set_run_empty(index, claimed.run_empty);
        let brought = claimed.tasks.len();
        let lane = &mut self.lanes[index];
        lane.answered(number, brought, claimed.next_wake.is_some());
        self.board.brought(&lane.name, lane.open(), &claimed.tasks);
        let mut standings: Vec<_> = self.lanes.iter_mut().map(|lane| &mut lane.standing).collect();
        share::received(&mut standings, index, brought, claimed.more && brought > 0);
        if self.stopping {
            let back = claimed.tasks.into_iter().map(|delivery| Settlement::new(delivery, Outcome::Released));
            self.lanes[index].unsettled.extend(back);
        } else {
            self.take_in(index, claimed.tasks);
        }
        self.look_whether_drained();
    }

    fn take_in(&mut self, index: usize, tasks: Vec<Arc<Delivery>>) {
        let mut attempts = Vec::with_capacity(tasks.len());
        for delivery in tasks {
            let suspect = delivery.suspect;
            match attempt::prepare(delivery, &self.common) {
                Ok(attempt) => {
                    self.received += 1;
                    self.suspects += u32::from(suspect);
                    attempts.push((self.received, attempt));
                }
                Err(Unready::Ended(settlement)) => self.lanes[index].unsettled.push(settlement),
                Err(Unready::PutOff(settlement)) => {
                    self.say_unreadable(&settlement.delivery);
                    self.put_off += 1;
                    self.calls.spawn(call::put_off(index, settlement));
                }
            }
        }
        let mut held = self.board.held();
        held.extend(attempts.iter().map(|(number, attempt)| (*number, Held { ctx: attempt.ctx.clone() })));
        self.books.held = u32::try_from(held.len()).unwrap_or(u32::MAX);
        drop(held);
        self.bench.push(index, attempts);
    }

    /// Attempts that are over.
    pub(super) fn ended(&mut self, ended: Vec<Ended>) {
        let mut held = self.board.held();
        let gone: Vec<_> = ended.iter().map(|ended| held.remove(&ended.held)).collect();
        self.books.held = u32::try_from(held.len()).unwrap_or(u32::MAX);
        drop(held);
        drop(gone); // the last of a context, and with it of what a task left in it
        let current = self.board.incarnation();
        for Ended { lane, settlement, ran, .. } in ended {
            let delivery = &settlement.delivery;
            self.suspects -= u32::from(delivery.suspect);
            if let Some(ran) = ran {
                self.mean = Some(books::mean(self.mean, ran));
                self.common.settings.observer.tell(delivery, ran, &settlement.outcome);
            }
            self.owe(current, lane, settlement);
        }
    }

    /// Once a name: such a message comes by again and again.
    fn say_unreadable(&mut self, delivery: &Delivery) {
        let task = &delivery.record.task;
        if self.unreadable.insert(task.clone()) {
            tracing::warn!(%task, id = %delivery.id(), "its message is of a newer release; it waits for a worker that can read it");
        }
    }

    /// `current` is the incarnation of now.
    fn owe(&mut self, current: Incarnation, lane: usize, settlement: Settlement) {
        if settlement.delivery.token.worker == current {
            self.lanes[lane].unsettled.push(settlement);
        } else {
            tracing::debug!(id = %settlement.delivery.id(), "an attempt ended that was given to others");
        }
    }

    pub(super) fn give_back_waiting(&mut self) {
        let ended = self.bench.take_waiting();
        self.ended(ended);
    }

    pub(super) fn set_run_empty(&mut self, lane: usize, run_empty: bool) {
        if run_empty && !self.lanes[lane].run_empty {
            self.lanes.iter().for_each(Lane::recall);
        }
        self.lanes[lane].run_empty = run_empty;
    }

    /// What it holds is given to others: it goes on under another incarnation.
    pub(super) fn closed(&mut self, worker: Incarnation) {
        if worker != self.board.incarnation() {
            return;
        }
        // the next generation is closed too if the whole start was released
        let next = if self.heard { worker.next() } else { Incarnation::new() };
        self.heard = false;
        let dropped: usize = self.lanes.iter_mut().map(Lane::start_afresh).sum();
        tracing::warn!(closed = %worker, %next, held = self.books.held, unsettled = dropped,
            "this worker was closed: its tasks are given to others and dropped here; it goes on");
        self.board.go_on_as(next);
        self.give_back_waiting();
        self.board.stop_attempts();
    }

    pub(super) fn told(&mut self, told: Told, status: &watch::Sender<Status>) {
        match told {
            Told::Answered => {
                if status.send_if_modified(Status::set_ready) {
                    tokio::spawn(self.common.caller.clone().say_gaps());
                }
            }
            Told::Closed(worker) => self.closed(worker),
            Told::RunEmpty(queue, run_empty) => {
                if let Some(lane) = self.lanes.iter().position(|lane| lane.name == queue) {
                    self.set_run_empty(lane, run_empty);
                }
            }
            Told::Cancelled => {
                let ended = self.bench.take_cancelled();
                self.ended(ended);
            }
            Told::Command(WorkerCommand::Pause) => self.paused = true,
            Told::Command(WorkerCommand::Resume) => self.paused = false,
            Told::Command(WorkerCommand::Concurrency(tasks)) => {
                self.slots = self.common.settings.slots_for(Some(tasks), &self.common.registry);
                self.books.concurrency = self.slots.all;
                self.board.set_concurrency(self.slots.all);
                Arc::make_mut(&mut self.registration).concurrency = self.slots.all;
            }
            Told::Command(command) => tracing::warn!(?command, "this release does not know the command"),
        }
    }
}
