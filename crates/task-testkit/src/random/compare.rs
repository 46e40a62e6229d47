//! Where the contract leaves a choice, the backend's answer must be one that it may give; elsewhere it must be the
//! model's.

use std::fmt::Debug;

use task_core::{
    Claim, Claimed, Heartbeat, HeartbeatReply, Incarnation, QueueError, SettleAnswer, Settlement, TaskId,
};

use super::{play::Player, views::ceil};
use crate::Harness;

/// Whether an answer is the model's.
pub(super) fn same<T: PartialEq + Debug>(what: &str, backend: &T, model: &T) -> Result<(), String> {
    if backend == model {
        return Ok(());
    }
    let (backend, model) = (format!("{backend:#?}"), format!("{model:#?}"));
    let (backend, model): (Vec<&str>, Vec<&str>) = (backend.lines().collect(), model.lines().collect());
    let first = backend.iter().zip(&model).position(|(one, other)| one != other);
    let first = first.unwrap_or(backend.len().min(model.len()));
    let last =
        backend.iter().rev().zip(model.iter().rev()).position(|(one, other)| one != other).unwrap_or(0);
    let shown = |lines: &[&str]| {
        let differ = &lines[first..lines.len().saturating_sub(last).max(first)];
        differ.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    };
    Err(format!(
        "{what} differs\n  at      {}\n  backend {}\n  model   {}",
        around(&backend[..first]),
        shown(&backend),
        shown(&model)
    ))
}

/// What the next line of a text is part of: the lines that open what is not closed yet.
fn around(lines: &[&str]) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut open: Vec<&str> = Vec::new();
    for line in lines {
        open.retain(|other| indent(other) < indent(line));
        open.push(line);
    }
    open.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

impl<H: Harness> Player<'_, H> {
    pub(super) fn compare_claim(
        &mut self,
        claim: &Claim,
        answer: Result<Claimed, QueueError>,
    ) -> Result<(), String> {
        let ids: Vec<TaskId> =
            answer.iter().flat_map(|claimed| &claimed.tasks).map(|delivery| delivery.id().clone()).collect();
        let expected = self.space().claim(claim, &ids);
        let (answer, expected) = match (answer, expected) {
            (Ok(answer), Ok(expected)) => (answer, expected),
            (Err(QueueError::Closed(one)), Err(QueueError::Closed(other))) if one == other => {
                self.heard(claim.worker, true);
                return Ok(());
            }
            (answer, expected) => {
                return Err(format!("a claim is answered {answer:?}, and by the model {expected:?}"));
            }
        };
        self.heard(claim.worker, false);
        let (there, here) = self.starts;
        let given =
            answer.tasks.iter().map(|delivery| there.delivery(delivery)).collect::<Result<Vec<_>, _>>()?;
        let due =
            expected.tasks.iter().map(|delivery| here.delivery(delivery)).collect::<Result<Vec<_>, _>>()?;
        let ids = |claimed: &Claimed| crate::stage::ids(&claimed.tasks);
        same("which tasks a claim gets", &ids(&answer), &ids(&expected))?;
        same("what a claim brings", &given, &due)?;
        same("whether the queue is paused", &answer.paused, &expected.paused)?;
        let is_old = claim.number <= claim.acked;
        if !is_old {
            same("whether more is due", &answer.more, &expected.more)?;
        }
        if let Some(wake) = answer.next_wake {
            same("when to look again", &Some(ceil(wake)), &expected.next_wake.map(ceil))?;
        }
        self.may_be_asked(claim.worker, answer.run_empty, !is_old && claim.max_tasks > 0)?;
        for delivery in answer.tasks {
            if delivery.suspect && self.runs_empty == Some(claim.worker) {
                self.runs_empty = None;
            }
            let same = |held: &std::sync::Arc<task_core::Delivery>| {
                held.token == delivery.token && held.id() == delivery.id()
            };
            if !self.held.iter().any(same) {
                self.held.push(delivery);
            }
        }
        Ok(())
    }

    /// One worker at a time is asked to run empty, and only one that can then take a suspect; which one is open.
    fn may_be_asked(&mut self, worker: Incarnation, asked: bool, must: bool) -> Result<(), String> {
        let others: Vec<Incarnation> = self.space().alive().filter(|other| *other != worker).collect();
        let can = self.space().can_be_asked(worker);
        if asked && !can {
            return Err(format!("worker {worker} is asked to run empty with no suspect for it"));
        }
        if asked {
            if let Some(other) = self.runs_empty.replace(worker)
                && other != worker
            {
                return Err(format!("worker {worker} is asked to run empty while {other} is"));
            }
        } else if must && can && !others.into_iter().any(|other| self.space().can_be_asked(other)) {
            return Err("nobody is asked to run empty while a suspect waits".into());
        }
        Ok(())
    }

    pub(super) fn compare_settlements(
        &mut self,
        settlements: &[Settlement],
        answers: &[SettleAnswer],
    ) -> Result<(), String> {
        let expected = self.space().settle(settlements);
        if answers.len() != expected.len() {
            return Err(format!("{} settlements got the answers {answers:?}", expected.len()));
        }
        for (n, settlement) in settlements.iter().enumerate() {
            let (answer, expected) = (answers[n], expected[n]);
            let known =
                |settled: &Settlement| is_of(settled, settlement) && settled.outcome == settlement.outcome;
            let may_differ = match expected {
                // the same kind with other words may be taken for the same
                SettleAnswer::AlreadyDone => !self.settled.iter().any(known),
                // it was carried out, and the task has moved on since
                SettleAnswer::Stale => self.space().was_settled_so(settlement),
                SettleAnswer::Done => false,
            };
            if answer != expected && (!may_differ || answer == SettleAnswer::Done) {
                same("the answer to a settlement", &answer, &expected)?;
            }
            self.held.retain(|held| {
                !(held.token == settlement.delivery.token && held.id() == settlement.delivery.id())
            });
            if expected == SettleAnswer::Done {
                self.settled.push(settlement.clone());
            }
        }
        Ok(())
    }

    pub(super) fn compare_beat(&mut self, beat: &Heartbeat, mut reply: HeartbeatReply) -> Result<(), String> {
        let mut expected = self.space().heartbeat(beat);
        self.heard(beat.worker, expected.closed);
        self.may_be_asked(beat.worker, reply.run_empty, !expected.closed)?;
        (reply.run_empty, expected.run_empty) = (false, false);
        reply.cancel.sort();
        expected.cancel.sort();
        same("the answer to a heartbeat", &reply, &expected)
    }
}

/// Whether both are of one attempt.
fn is_of(one: &Settlement, other: &Settlement) -> bool {
    one.delivery.token == other.delivery.token && one.delivery.id() == other.delivery.id()
}
