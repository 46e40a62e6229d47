//! Lists: pages out of the ordered maps. A cursor names the map and the last key that was looked at, so a page goes on
//! rightly also if that entry is gone.

use std::{cmp::Reverse, ops::Bound};

use task_core::{Filter, Incarnation, Name, Page, QueueError, TaskId, TaskStatus, Timestamp};

use super::{
    Apply, State, Stored,
    places::{Held, Lane, LaneKey, Schedule, TimeKey},
    task::Task,
};

#[derive(Clone, Debug)]
pub(crate) struct List(pub(crate) Filter);

/// A page of a list; its final records are read when it becomes a [`Page`], after the queue is unlocked.
#[derive(Debug)]
pub struct Listed {
    /// Its tasks.
    pub tasks: Vec<(TaskId, Stored)>,
    /// Where to go on.
    pub next: Option<String>,
}

impl Listed {
    /// The same, read.
    ///
    /// # Errors
    /// [`QueueError::Corrupt`] if a final record can't be read.
    pub fn read(self, queue: &Name) -> Result<Page, QueueError> {
        let mut tasks = Vec::with_capacity(self.tasks.len());
        for (id, stored) in self.tasks {
            tasks.extend(stored.read(queue, &id)?.into_found());
        }
        Ok(Page::new(tasks, self.next))
    }
}

/// The most entries that one page looks at.
const SCANNED: usize = 2_000;

/// The maps that tasks lie in, in the order in which they are listed.
const SECTIONS: [(&str, TaskStatus); 10] = [
    ("ready", TaskStatus::Pending),
    ("suspects", TaskStatus::Pending),
    ("unknown", TaskStatus::Pending),
    ("delayed", TaskStatus::Pending),
    ("running", TaskStatus::Running),
    ("retry", TaskStatus::Retry),
    ("completed", TaskStatus::Completed),
    ("failed", TaskStatus::Failed),
    ("skipped", TaskStatus::Skipped),
    ("cancelled", TaskStatus::Cancelled),
];

/// An entry: the text of its key, and the task.
type Entry<'a> = (String, &'a TaskId);

impl Apply for List {
    type Reply = Result<Listed, QueueError>;

    fn apply(self, state: &mut State, now: Timestamp) -> Self::Reply {
        state.housekeep(now);
        state.list(&self.0, now)
    }
}

impl State {
    /// A page of its tasks.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] if the filter's cursor is none.
    pub fn list(&self, filter: &Filter, now: Timestamp) -> Result<Listed, QueueError> {
        let limit = filter.limit.clamp(1, 1000);
        let (first, mut after) = match filter.cursor.as_deref() {
            None => (0, None),
            Some(cursor) => {
                let wrong =
                    || QueueError::invalid(format!("`{}` is no cursor of a list", cursor.escape_debug()));
                let (section, key) = cursor.split_once(' ').ok_or_else(wrong)?;
                let place = SECTIONS.iter().position(|(name, _)| *name == section).ok_or_else(wrong)?;
                (place, Some(key.to_owned()))
            }
        };
        let (mut tasks, mut scanned) = (Vec::new(), 0);
        for (section, status) in &SECTIONS[first..] {
            let after = after.take();
            if filter.status.is_some_and(|wanted| wanted != *status) {
                continue;
            }
            for (key, id) in self.section(section, *status, after.as_deref())? {
                scanned += 1;
                if self.is_named(id, filter.name.as_ref()) {
                    tasks.push((id.clone(), self.look(id, now)));
                }
                if tasks.len() == limit || scanned == SCANNED {
                    let next = Some(format!("{section} {key}"));
                    return Ok(Listed { tasks, next });
                }
            }
        }
        Ok(Listed { tasks, next: None })
    }

    fn is_named(&self, id: &TaskId, name: Option<&Name>) -> bool {
        let Some(name) = name else { return true };
        match self.tasks.get(id) {
            Some(Task::Live(live)) => live.record.task == *name,
            Some(Task::Final(done)) => done.task == *name,
            Some(Task::Gone(_)) | None => false,
        }
    }

    fn section(
        &self,
        section: &str,
        status: TaskStatus,
        after: Option<&str>,
    ) -> Result<Box<dyn Iterator<Item = Entry<'_>> + '_>, QueueError> {
        let places = &self.places;
        Ok(match section {
            "ready" => lane(&places.ready, read(after)?),
            "suspects" => lane(&places.suspects, read(after)?),
            "delayed" => schedule(&places.delayed, read(after)?),
            "retry" => schedule(&places.retries, read(after)?),
            "running" => {
                Box::new(places.running.after(read(after)?).map(|(key, id): (Held, _)| (key.write(), id)))
            }
            "unknown" => {
                let from: Option<(Name, bool, LaneKey)> = read(after)?;
                Box::new(self.unknown_after(from).map(|(name, suspect, key, id)| {
                    (format!("{name} {} {}", u8::from(suspect), key.write()), id)
                }))
            }
            _ => {
                let Some(list) = self.finals.of(status) else { return Ok(Box::new(std::iter::empty())) };
                let to = read::<u64>(after)?.map_or(Bound::Unbounded, Bound::Excluded);
                let entries = list.range((Bound::Unbounded, to)).rev();
                Box::new(entries.map(|(key, id)| (key.to_string(), id)))
            }
        })
    }
}

fn lane(lane: &Lane, after: Option<LaneKey>) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
    Box::new(lane.after(after).map(|(key, id)| (key.write(), id)))
}

fn schedule(schedule: &Schedule, after: Option<TimeKey>) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    Box::new(schedule.range((from, Bound::Unbounded)).map(|(key, id)| (key.write(), id)))
}

/// A key as it stands in a cursor.
trait Key: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

fn read<K: Key>(text: Option<&str>) -> Result<Option<K>, QueueError> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || QueueError::invalid(format!("`{}` is no place in a list", text.escape_debug()));
    K::read(text).map(Some).ok_or_else(wrong)
}

impl Key for u64 {
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Key for LaneKey {
    fn write(&self) -> String {
        format!("{} {}", self.0.0, self.1)
    }
    fn read(text: &str) -> Option<Self> {
        let (priority, number) = text.split_once(' ')?;
        Some((Reverse(priority.parse().ok()?), number.parse().ok()?))
    }
}

impl Key for TimeKey {
    fn write(&self) -> String {
        format!("{} {}", self.0.as_millis(), self.1)
    }
    fn read(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once(' ')?;
        Some((Timestamp::from_millis(millis.parse().ok()?), number.parse().ok()?))
    }
}

impl Key for Held {
    fn write(&self) -> String {
        format!("{} {} {}", self.worker, self.claim, self.nth)
    }
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let worker = words.next()?.parse::<Incarnation>().ok()?;
        let (claim, nth) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { worker, claim, nth })
    }
}

impl Key for (Name, bool, LaneKey) {
    fn write(&self) -> String {
        format!("{} {} {}", self.0, u8::from(self.1), self.2.write())
    }
    fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        let (name, suspect) = (words.next()?.parse().ok()?, words.next()? == "1");
        Some((name, suspect, LaneKey::read(words.next()?)?))
    }
}
