//! Tasks that a worker had no code for lie in a list of their name, from which only workers that know the name take.

use std::{collections::BTreeMap, ops::Bound, time::Duration};

use serde::{Deserialize, Serialize};
use task_core::{Failure, FailureKind, Name, TaskId, TaskStatus, Timestamp};

use super::{
    STEP, State,
    places::{End, Lane, LaneKey, Place},
    task::{Live, Task},
};

/// So long may no live worker know a name before its tasks fail.
const PATIENCE: Duration = Duration::from_secs(600);
/// Which names are known is looked at so often.
const CHECK: Duration = Duration::from_secs(1);

/// The tasks of one name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UnknownName {
    tasks: Lane,
    suspects: Lane,
    /// When a worker that knows it was last heard of, or its first task came in.
    pub(super) known: Timestamp,
}

impl UnknownName {
    fn len(&self) -> usize {
        self.tasks.len() + self.suspects.len()
    }

    fn lane(&mut self, suspect: bool) -> &mut Lane {
        if suspect { &mut self.suspects } else { &mut self.tasks }
    }
}

/// Takes a task out of the list of its name.
pub(super) fn leave(unknown: &mut BTreeMap<Name, UnknownName>, live: &Live, key: LaneKey) {
    let Some(list) = unknown.get_mut(&live.record.task) else { return };
    list.lane(live.is_suspect()).remove(key);
    if list.len() == 0 {
        unknown.remove(&live.record.task);
    }
}

impl State {
    /// RUNNING back to PENDING, in the list of its name.
    pub(super) fn make_unknown(&mut self, id: &TaskId, now: Timestamp) {
        let Self { tasks, places, unknown, effects, .. } = self;
        let Some(Task::Live(live)) = tasks.get_mut(id) else { return };
        let new = || UnknownName { tasks: Lane::default(), suspects: Lane::default(), known: now };
        let list = unknown.entry(live.record.task.clone()).or_insert_with(new);
        live.since = now;
        live.place =
            Place::Unknown(list.lane(live.is_suspect()).push(End::Back, live.terms.priority, id.clone()));
        places.watch_expiry(id, live);
        effects.changed = true;
    }

    /// The next task that others did not know and a worker of these names does.
    pub(super) fn known_list(&self, names: &[Name]) -> Option<&TaskId> {
        self.known_lists(names).find_map(|list| list.tasks.first())
    }

    pub(super) fn known_suspect(&self, names: &[Name]) -> Option<&TaskId> {
        self.known_lists(names).find_map(|list| list.suspects.first())
    }

    fn known_lists(&self, names: &[Name]) -> impl Iterator<Item = &UnknownName> {
        self.unknown.iter().filter(|(name, _)| names.contains(name)).map(|(_, list)| list)
    }

    pub(super) fn in_unknown(&self) -> usize {
        self.unknown.values().map(UnknownName::len).sum()
    }

    /// The tasks in these lists behind this one, by name; a name's suspects come last.
    pub(super) fn unknown_after(
        &self,
        from: Option<(Name, bool, LaneKey)>,
    ) -> impl Iterator<Item = (&Name, bool, LaneKey, &TaskId)> {
        let start = from.as_ref().map_or(Bound::Unbounded, |(name, ..)| Bound::Included(name.clone()));
        self.unknown.range((start, Bound::Unbounded)).flat_map(move |(name, list)| {
            let after = from.as_ref().filter(|(at, ..)| at == name).map(|(_, suspect, key)| (*suspect, *key));
            [(false, &list.tasks), (true, &list.suspects)]
                .into_iter()
                .filter(move |(suspect, _)| after.is_none_or(|(at, _)| *suspect >= at))
                .flat_map(move |(suspect, lane)| {
                    let key = after.filter(|(at, _)| *at == suspect).map(|(_, key)| key);
                    lane.after(key).map(move |(key, id)| (name, suspect, key, id))
                })
        })
    }

    /// How many lie before a task in the list of its name, up to `most`.
    pub(super) fn before_in_unknown(&self, live: &Live, key: LaneKey, most: usize) -> usize {
        let Some(list) = self.unknown.get(&live.record.task) else { return 0 };
        if live.is_suspect() { list.suspects.before(key, most) } else { list.tasks.before(key, most) }
    }

    /// How many live workers know a name.
    pub(super) fn knowing(&self, name: &Name) -> u64 {
        self.workers.values().filter(|worker| worker.registration.names.contains(name)).count() as u64
    }

    /// A worker that knows these names was last heard of then, and is gone.
    pub(super) fn names_seen(&mut self, names: &[Name], seen: Timestamp) {
        for (name, list) in &mut self.unknown {
            if names.contains(name) {
                list.known = list.known.max(seen);
            }
        }
    }

    pub(super) fn fail_unknown_names(&mut self, now: Timestamp) {
        // an outage is no time in which nobody knew a name: workers that do are heard first
        if self.unknown.is_empty() || now < self.grace_until || now < self.names_checked + CHECK {
            return;
        }
        self.names_checked = now;
        let mut given_up = Vec::new();
        for (name, list) in &mut self.unknown {
            let knowing = self.workers.values().filter(|worker| worker.registration.names.contains(name));
            list.known = knowing.map(|worker| worker.seen).fold(list.known, Timestamp::max);
            if now.since(list.known) >= PATIENCE {
                let ids = [&list.tasks, &list.suspects].into_iter().flat_map(|lane| lane.after(None));
                given_up.extend(ids.map(|(_, id)| id.clone()).take(STEP));
            }
            if given_up.len() >= STEP {
                self.names_checked = Timestamp::default(); // there may be more: go on with the next request
                break;
            }
        }
        for id in given_up {
            let Some(live) = self.take(&id) else { continue };
            let wrong = format!("for 10 minutes no worker had code of its name, `{}`", live.record.task);
            live.record.error = Some(Failure::new(FailureKind::UnknownName, wrong));
            self.finish(&id, TaskStatus::Failed, now);
        }
    }
}
