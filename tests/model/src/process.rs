//! The clients: a worker process that runs one task at a time, and a producer.

use crate::{
    backend::Rules,
    broken::Broken,
    id::{Incarnation, Task, Token, Worker},
    wire::{End, Reply, Request},
};

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    /// About to claim; `woken` by a token that it took.
    Looking { woken: bool },
    /// Its claim is under way.
    Claiming,
    /// It waits for a token.
    Parked,
    /// It runs a task; it may have heard that this is to be cancelled.
    Running { task: Task, token: Token, cancel: bool },
    /// The end of its attempt is under way.
    Settling { task: Task, token: Token, end: End },
}

/// Whether the operating system runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    Up,
    /// Stopped as by SIGSTOP: what it has on the wire goes on, and what arrives waits in its socket.
    Frozen,
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) incarnation: Incarnation,
    pub(crate) life: Life,
    pub(crate) doing: Doing,
    /// The number of the claim to make or under way.
    pub(crate) number: u8,
}

impl Process {
    pub(crate) fn new(worker: Worker) -> Self {
        let incarnation = Incarnation { worker, start: 0 };
        Self { incarnation, life: Life::Up, doing: Doing::Looking { woken: false }, number: 1 }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.life == Life::Up
    }

    /// Up or frozen under this incarnation.
    pub(crate) fn is(&self, incarnation: Incarnation) -> bool {
        self.life != Life::Dead && self.incarnation == incarnation
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.doing == Doing::Parked
    }

    /// It has taken a wake token, or needs none: its claim will be carried out.
    pub(crate) fn will_claim(&self) -> bool {
        matches!(self.doing, Doing::Looking { .. } | Doing::Claiming)
    }

    /// What it waits to be answered.
    pub(crate) fn call(&self) -> Option<Request> {
        match self.doing {
            Doing::Claiming => Some(self.next_claim()),
            Doing::Settling { task, token, end } => Some(Request::Settle { token, task, end }),
            Doing::Looking { .. } | Doing::Parked | Doing::Running { .. } => None,
        }
    }

    pub(crate) fn next_claim(&self) -> Request {
        let token = Token { holder: self.incarnation, claim: self.number };
        Request::Claim { token, acked: self.number - 1 }
    }

    /// What a heartbeat of it says that it holds. What it has on the wire to settle is held until that is answered.
    pub(crate) fn holds(&self, rules: &Rules) -> Request {
        let claim = match self.doing {
            Doing::Running { token, .. } | Doing::Settling { token, .. } => Some(token.claim),
            Doing::Looking { .. } | Doing::Claiming | Doing::Parked => None,
        };
        let under_way = rules.lack(Broken::ClaimUnderWaySpokenOf);
        Request::Holds { holder: self.incarnation, up_to: self.number - u8::from(!under_way), claim }
    }

    /// It runs, or will, what this claim gave: none of it has come back to the backend.
    pub(crate) fn has(&self, token: Token) -> bool {
        self.is(token.holder)
            && match self.doing {
                Doing::Running { token: has, .. } | Doing::Settling { token: has, .. } => has == token,
                Doing::Claiming => token.claim == self.number,
                Doing::Looking { .. } | Doing::Parked => false,
            }
    }

    /// Its call is answered.
    pub(crate) fn receive(&mut self, rules: &Rules, reply: Reply) {
        match reply {
            Reply::Given(task) => {
                let token = Token { holder: self.incarnation, claim: self.number };
                self.number += 1;
                self.doing = Doing::Running { task, token, cancel: false };
            }
            Reply::Nothing => {
                // the number is used again: a copy of this claim that arrives late may take a task under it
                if rules.lack(Broken::EmptyClaimAcknowledged) {
                    self.number += 1;
                }
                self.doing = Doing::Parked;
            }
            Reply::Settled => self.doing = Doing::Looking { woken: false },
            Reply::Closed => self.start_afresh(false),
            Reply::Stored | Reply::Released | Reply::Heard => {}
        }
    }

    /// Drops what it has and goes on under another incarnation. A wake that it had taken is claimed on, too.
    pub(crate) fn start_afresh(&mut self, same_incarnation: bool) {
        if !same_incarnation {
            self.incarnation.start += 1;
        }
        (self.life, self.number) = (Life::Up, 1);
        self.doing = Doing::Looking { woken: self.doing == Doing::Claiming };
    }
}

/// Who enqueues one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Producer {
    /// Has not begun.
    Before,
    /// Sends until it is answered.
    Sending,
    /// `enqueue` returned Ok.
    Acknowledged,
}
