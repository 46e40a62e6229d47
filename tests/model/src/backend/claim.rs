//! claim.lua: PENDING → RUNNING.

use super::{Backend, Rules, Status};
use crate::{
    broken::Broken,
    id::{Task, Token, Worker},
    wire::Reply,
};

impl Backend {
    /// Claim + RUNNING + attempt + token in one step. The same number again gives the same task as far as it is still
    /// held by it; one that is acknowledged gives none; one that gave none may be asked again.
    pub(super) fn claim(&mut self, rules: &Rules, token: Token, acked: u8) -> Reply {
        if !self.sign_of_life(token.holder) {
            return Reply::Closed;
        }
        self.called.remove(&token.holder.worker); // it is here
        let member = self.members.get_mut(&token.holder).expect("a sign of life registers");
        member.acked = member.acked.max(acked);
        member.claims.retain(|(number, _)| *number > member.acked);
        let before = member.claims.iter().find(|(number, _)| *number == token.claim).copied();
        if token.claim <= member.acked || before.is_some() {
            // whoever sends again may have taken the wake for it
            self.wake |= !self.ready.is_empty() && !rules.lack(Broken::ResendWakesNobody);
            let held = |task| self.record(task).is_some_and(|record| record.held == Some(token));
            return before
                .filter(|(_, task)| held(*task))
                .map_or(Reply::Nothing, |(_, task)| Reply::Given(task));
        }

        let taken = self.take(rules, token.holder.worker);
        if let Some(task) = taken {
            let record = self.record_mut(task);
            record.status = Status::Running;
            record.attempts += 1;
            if !rules.lack(Broken::DestructivePop) {
                record.held = Some(token);
            }
            if !rules.lack(Broken::ClaimNumberNotKept) {
                let member = self.members.get_mut(&token.holder).expect("it is registered");
                member.claims.push((token.claim, task));
            }
        }
        // a claim that leaves tasks behind passes the wake on; one that sees the list empty deletes it
        self.wake = !self.ready.is_empty() && !rules.lack(Broken::WakeNotPassedOn);
        taken.map_or(Reply::Nothing, Reply::Given)
    }

    /// First what lies aside and this worker knows, then the first of the ready list.
    fn take(&mut self, rules: &Rules, worker: Worker) -> Option<Task> {
        let known = self.aside.iter().find(|task| rules.knows(worker, **task)).copied();
        if let Some(task) = known {
            self.aside.remove(&task);
            return Some(task);
        }
        while !self.ready.is_empty() {
            let task = self.ready.remove(0);
            if self.record(task)?.status == Status::Pending || rules.lack(Broken::OldEntryTaken) {
                return Some(task);
            }
            self.record_mut(task).tombstone = false; // it ended while its entry lay in the list
        }
        None
    }
}
