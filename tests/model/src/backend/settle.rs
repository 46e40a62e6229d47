//! settle.lua: the end of an attempt.

use super::{Backend, Rules, Status};
use crate::{
    broken::Broken,
    id::{Task, Token},
    wire::{End, Reply},
};

impl Backend {
    /// Fenced: a token that is not the current one, or whose incarnation is closed, changes nothing.
    pub(super) fn settle(&mut self, rules: &Rules, token: Token, task: Task, end: End) -> Reply {
        let closed = self.closed.contains(&token.holder);
        let Some(record) = self.records[usize::from(task)].as_mut() else { return Reply::Settled };
        if rules.lack(Broken::BodyBeforeCheck) && end == End::Value {
            record.body = Some(token);
        }
        let current = match rules.broken {
            Some(Broken::NoFence) => record.last != Some((token, end)),
            Some(Broken::DestructivePop) => record.status == Status::Running,
            _ => !closed && record.held == Some(token),
        };
        if !current {
            return Reply::Settled; // already done, or stale
        }
        record.held = None;
        record.last = Some((token, end));
        match end {
            End::Value => record.body = Some(token),
            End::Failure => record.failures += 1,
            End::Released => record.releases += 1,
            End::UnknownName => record.attempts -= 1, // that was no attempt
            End::Stopped => {}
        }
        match end {
            End::Value => record.finish(Status::Completed),
            _ if record.cancel || end == End::Stopped => record.finish(Status::Cancelled),
            End::Failure if record.failures > rules.max_retries => record.finish(Status::Failed),
            End::Failure => record.status = Status::Retry,
            End::Released | End::Stopped => {
                record.status = Status::Pending;
                self.ready(task, true);
            }
            End::UnknownName => {
                record.status = Status::Pending;
                self.aside.insert(task);
                let live = self.members.keys().map(|member| member.worker);
                let know: Vec<_> = live.filter(|worker| rules.knows(*worker, task)).collect();
                self.called.extend(know);
            }
        }
        Reply::Settled
    }

    /// The backoff is over: RETRY → PENDING. Any call does it, as housekeeping.
    pub(crate) fn promote(&mut self, task: Task) {
        self.record_mut(task).status = Status::Pending;
        self.ready(task, false);
    }
}
