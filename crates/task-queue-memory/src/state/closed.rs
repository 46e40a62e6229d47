//! Workers that were closed: refused for an hour, so that no late call of one brings it back.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use task_core::{Incarnation, Timestamp};

const REMEMBERED: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Entry {
    Released(u128),
    Ended(Incarnation),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Closed {
    /// Released, with when to forget it: closed in all generations.
    #[serde(with = "super::snapshot::sorted")]
    released: HashMap<u128, Timestamp>,
    /// The lease ended: the next generation is welcome.
    #[serde(with = "super::snapshot::sorted")]
    ended: HashMap<Incarnation, Timestamp>,
    order: VecDeque<(Timestamp, Entry)>,
}

impl Closed {
    pub(super) fn contains(&self, worker: Incarnation, now: Timestamp) -> bool {
        let until = [self.released.get(&worker.id()), self.ended.get(&worker)];
        until.into_iter().flatten().any(|until| *until > now)
    }

    pub(super) fn release(&mut self, worker: Incarnation, now: Timestamp) {
        let until = now + REMEMBERED;
        // a release that is sent again counts anew, and leaves one entry in the order for each
        if self.released.insert(worker.id(), until) != Some(until) {
            self.order.push_back((until, Entry::Released(worker.id())));
        }
    }

    pub(super) fn end(&mut self, worker: Incarnation, now: Timestamp) {
        let until = now + REMEMBERED;
        self.ended.insert(worker, until);
        self.order.push_back((until, Entry::Ended(worker)));
    }

    /// Whether all is forgotten, or may be.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.order.back().is_none_or(|(until, _)| *until <= now)
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        for _ in 0..super::STEP {
            let Some((_, entry)) = self.order.front().copied().filter(|(until, _)| *until <= now) else {
                return;
            };
            self.order.pop_front();
            match entry {
                Entry::Released(id) => forget(&mut self.released, &id, now),
                Entry::Ended(worker) => forget(&mut self.ended, &worker, now),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

/// Removes an entry, unless it was renewed since.
fn forget<K: Hash + Eq>(closed: &mut HashMap<K, Timestamp>, key: &K, now: Timestamp) {
    if closed.get(key).is_some_and(|until| *until <= now) {
        closed.remove(key);
    }
}
