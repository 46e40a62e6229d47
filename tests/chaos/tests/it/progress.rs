//! What a long run has come to while it goes on, over all rounds that are under way.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::fault::Fault;

/// Of this process.
pub(crate) static PROGRESS: Progress =
    Progress { tasks: AtomicU64::new(0), faults: Mutex::new(BTreeMap::new()) };

/// How often it is told.
const TELL: Duration = Duration::from_secs(10);

pub(crate) struct Progress {
    tasks: AtomicU64,
    faults: Mutex<BTreeMap<Fault, usize>>,
}

impl Progress {
    /// So many more tasks came to an end.
    pub(crate) fn ended(&self, tasks: usize) {
        self.tasks.fetch_add(tasks as u64, Ordering::Relaxed);
    }

    /// At the end of a round: this many had the ledger an end of, and this many did end.
    pub(crate) fn correct(&self, told: usize, ended: usize) {
        self.tasks.fetch_add(ended as u64, Ordering::Relaxed);
        self.tasks.fetch_sub(told as u64, Ordering::Relaxed);
    }

    pub(crate) fn tasks(&self) -> u64 {
        self.tasks.load(Ordering::Relaxed)
    }

    pub(crate) fn injected(&self, fault: Fault) {
        *self.faults.lock().unwrap().entry(fault).or_default() += 1;
    }

    /// A line every ten seconds, for ever.
    pub(crate) async fn tell(&self) {
        let (start, mut before) = (Instant::now(), 0);
        loop {
            sleep(TELL).await; // the rhythm is what is asked for
            let (tasks, took) = (self.tasks(), start.elapsed().as_secs());
            let now = tasks.saturating_sub(before) as f64 / TELL.as_secs_f64();
            let mean = tasks as f64 / start.elapsed().as_secs_f64();
            let faults = self.faults.lock().unwrap().clone();
            let kinds: Vec<String> =
                faults.iter().map(|(fault, times)| format!("{fault:?} {times}")).collect();
            let sum: usize = faults.values().sum();
            println!(
                "{took} s: {tasks} tasks, {now:.0}/s now, {mean:.0}/s in all; {sum} faults: {}",
                kinds.join(", ")
            );
            before = tasks;
        }
    }
}
