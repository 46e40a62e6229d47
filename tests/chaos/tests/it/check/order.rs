//! What was acknowledged before another was sent is started before it, unless its priority is lower.

use std::collections::BTreeMap;

use task_core::Timestamp;

use super::History;
use crate::entry::Where;

/// Of an app in one named queue.
#[derive(Default)]
struct Line<'a> {
    /// The last start of each priority, in the batches before this one.
    past: BTreeMap<u8, (Timestamp, &'a str)>,
    /// The batch that is looked at, and what of it started.
    batch: usize,
    these: Vec<(u8, Timestamp, &'a str)>,
}

impl<'a> Line<'a> {
    fn turn_to(&mut self, batch: usize) {
        if self.batch == batch {
            return;
        }
        self.batch = batch;
        for (priority, started, id) in self.these.drain(..) {
            let last = self.past.entry(priority).or_insert((started, id));
            if started > last.0 {
                *last = (started, id);
            }
        }
    }

    /// One that should have started before.
    fn later_than(&self, priority: u8, started: Timestamp) -> Option<(Timestamp, &'a str)> {
        self.past.range(priority..).map(|(_, last)| *last).find(|(last, _)| *last > started)
    }
}

impl History<'_> {
    pub(super) fn check_order(&self, wrong: &mut Vec<String>) {
        let mut lines: BTreeMap<(usize, Where), Line<'_>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.delay.is_none() && entry.acked.is_some()) {
            let Some(record) = self.records.get(&entry.id) else { continue };
            let (Some(started), 1, 0) = (record.started_at, record.attempts, record.generation) else {
                continue;
            };
            let line = lines.entry((entry.app, entry.queue)).or_default();
            line.turn_to(entry.batch);
            if let Some((last, other)) = line.later_than(entry.priority, started) {
                wrong.push(format!(
                    "{other} was acknowledged before {} was sent, and started {:?} after it",
                    entry.id,
                    last.since(started)
                ));
            }
            line.these.push((entry.priority, started, &entry.id));
        }
    }
}
