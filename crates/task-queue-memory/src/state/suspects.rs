//! Suspects: tasks whose worker died under them twice. Each runs alone in its process, so that poison takes no
//! neighbour along. While some wait, one worker at a time is asked to run empty, so that the queue keeps moving.

use task_core::{Claim, Incarnation, Name, TaskId, Timestamp};

use super::{State, claim::Grant};

impl State {
    /// A suspect for a worker that holds nothing, and nothing beside it.
    pub(super) fn take_suspect(&mut self, claim: &Claim, now: Timestamp) -> Option<Grant> {
        // the worker can't know what its other claims are bringing just now; the queue does
        if !claim.idle || !self.holds_nothing(claim.worker) {
            return None;
        }
        let id = self.next_suspect(&claim.registration.names)?.clone();
        let suspect = self.start(id, claim, 0, now);
        if let Some(asked) = self.emptying
            && !self.can_be_asked(asked)
        {
            self.emptying = None;
            self.effects.told.push(asked); // it may claim again
        }
        suspect
    }

    fn next_suspect(&self, names: &[Name]) -> Option<&TaskId> {
        self.places.suspects.first().or_else(|| self.known_suspect(names))
    }

    /// A worker that holds a suspect holds nothing else.
    pub(super) fn holds_suspect(&self, worker: Incarnation) -> bool {
        let first = self.places.running.of(worker).next();
        first.and_then(|(_, id)| self.live(id)).is_some_and(super::task::Live::is_suspect)
    }

    /// Whether this worker is the one that is asked to run empty; if nobody is, it becomes the one.
    pub(super) fn asks_to_empty(&mut self, worker: Incarnation) -> bool {
        if let Some(asked) = self.emptying
            && !self.can_be_asked(asked)
        {
            self.emptying = None;
        }
        if self.emptying.is_none() && self.can_be_asked(worker) {
            self.emptying = Some(worker);
        }
        self.emptying == Some(worker)
    }

    /// A suspect waits that this worker may take, once it holds nothing.
    fn can_be_asked(&self, worker: Incarnation) -> bool {
        let Some(open) = self.workers.get(&worker) else { return false };
        !self.paused && self.next_suspect(&open.registration.names).is_some() && !self.holds_suspect(worker)
    }
}
