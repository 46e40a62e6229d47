//! Who is alive: signs of life, release, the end of a lease, and the grace after an outage.

use super::{Backend, Rules, Status};
use crate::{
    broken::Broken,
    id::{Incarnation, Task},
    wire::Reply,
};

/// A registered incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    /// Its lease has ended, and nobody has reaped it yet.
    pub(crate) due: bool,
    /// The answers to its claims up to this one have arrived.
    pub(crate) acked: u8,
    /// Its claims that gave a task, beyond the acknowledged ones.
    pub(crate) claims: Vec<(u8, Task)>,
}

impl Backend {
    /// Every call begins so: a silence that no live worker could have kept says that the backend was away.
    pub(super) fn tick(&mut self, rules: &Rules) {
        self.grace = self.in_grace(rules);
        self.silent = false;
    }

    /// Whether the next call would reap nobody.
    pub(crate) fn in_grace(&self, rules: &Rules) -> bool {
        self.grace || (self.silent && !rules.lack(Broken::ReapWithoutGrace))
    }

    /// Registers it, or renews its lease, also a late one; false if it is closed.
    pub(super) fn sign_of_life(&mut self, incarnation: Incarnation) -> bool {
        if self.closed.contains(&incarnation) {
            return false;
        }
        self.members.entry(incarnation).or_default().due = false;
        true
    }

    /// A heartbeat; false if it is closed.
    pub(crate) fn beat(&mut self, rules: &Rules, incarnation: Incarnation) -> bool {
        self.tick(rules);
        self.sign_of_life(incarnation)
    }

    /// What it holds no more, by its own word, of what claims up to one gave: how it ended was lost.
    pub(super) fn give_back_unheld(
        &mut self,
        rules: &Rules,
        holder: Incarnation,
        up_to: u8,
        claim: Option<u8>,
    ) -> Reply {
        if !self.closed.contains(&holder) && !rules.lack(Broken::LostEndKept) {
            for task in self.held_by(holder) {
                let by = self.record(task).and_then(|record| record.held).map(|token| token.claim);
                if by.is_some_and(|by| by <= up_to) && by != claim {
                    self.crashed(rules, task);
                }
            }
        }
        Reply::Heard
    }

    /// The orchestrator saw it die: its tasks run again at once.
    pub(super) fn release(&mut self, rules: &Rules, incarnation: Incarnation) -> Reply {
        self.close(rules, incarnation);
        Reply::Released
    }

    /// Its lease is over, and this is not the grace after an outage.
    pub(crate) fn reap(&mut self, rules: &Rules, incarnation: Incarnation) {
        self.tick(rules);
        self.close(rules, incarnation);
    }

    fn close(&mut self, rules: &Rules, incarnation: Incarnation) {
        self.closed.insert(incarnation);
        self.members.remove(&incarnation);
        for task in self.held_by(incarnation) {
            self.crashed(rules, task);
        }
    }

    fn crashed(&mut self, rules: &Rules, task: Task) {
        let record = self.record_mut(task);
        record.held = None;
        record.crashes += 1;
        if record.cancel && !rules.lack(Broken::CancelForgotten) {
            record.finish(Status::Cancelled);
        } else if record.crashes > rules.max_crashes {
            record.finish(Status::Failed);
        } else {
            (record.status, record.cancel) = (Status::Pending, false);
            let woken = self.wake;
            self.ready(task, true);
            if rules.lack(Broken::ReapWakesNobody) {
                self.wake = woken;
            }
        }
    }

    /// The backend was away, restarted or stalled for longer than a lease.
    pub(crate) fn outage(&mut self) {
        self.silent = true;
        for member in self.members.values_mut() {
            member.due = true;
        }
    }
}
