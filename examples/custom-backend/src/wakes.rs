use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use task_core::Name;
use task_queue_memory::state::Effects;
use tokio::sync::Notify;

/// Those that wait for a named queue to change. Each enters itself before it looks, so that what comes after its look wakes
/// it, and looks again when it is woken.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    /// Wakes one that waits for tasks: if it leaves some, its claim wakes the next.
    pub(crate) ready: Notify,
    /// Wakes all that wait for tasks.
    pub(crate) changed: Notify,
    /// Wakes the heartbeats that wait for news.
    pub(crate) told: Notify,
    /// Wakes those that wait for a result.
    pub(crate) ended: Notify,
}

impl Wakes {
    /// Wakes whom it concerns; `earlier`: the next thing to do by time comes earlier than before.
    pub(crate) fn wake(&self, effects: &Effects, earlier: bool) {
        if effects.ready {
            self.ready.notify_one();
        }
        if effects.changed || earlier {
            self.changed.notify_waiters();
        }
        if !effects.told.is_empty() {
            self.told.notify_waiters();
        }
        if !effects.ended.is_empty() {
            self.ended.notify_waiters();
        }
    }
}

/// Of each named queue.
#[derive(Debug, Default)]
pub(crate) struct AllWakes(RwLock<BTreeMap<Name, Arc<Wakes>>>);

impl AllWakes {
    pub(crate) fn of(&self, queue: &Name) -> Arc<Wakes> {
        if let Some(wakes) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(queue) {
            return wakes.clone();
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).entry(queue.clone()).or_default().clone()
    }
}
