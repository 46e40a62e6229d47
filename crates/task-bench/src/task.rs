use std::{
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use task_core::{TaskId, TaskMessage, TaskOptions, TaskParams, encode};
use task_worker::TaskRegistry;

/// What makes the params 100 bytes long, and a few less where the number is small.
const PAD: usize = 86;

/// Does nothing, with 100 bytes of params.
#[derive(Debug, Serialize, Deserialize, TaskParams)]
#[task(name = "bench_noop", output = Seen)]
pub(crate) struct Noop {
    pub(crate) n: u64,
    pad: String,
}

/// The same, but that it goes on until a given moment.
#[derive(Debug, Serialize, Deserialize, TaskParams)]
#[task(name = "bench_wait", output = Seen)]
pub(crate) struct Wait {
    pub(crate) task: Noop,
    /// Of [`now`].
    pub(crate) until: u64,
}

impl Wait {
    pub(crate) fn message(n: u64, until: u64, options: TaskOptions) -> anyhow::Result<TaskMessage> {
        message(&Self { task: Noop::new(n), until }, options)
    }
}

fn message<P: TaskParams + Serialize>(params: &P, options: TaskOptions) -> anyhow::Result<TaskMessage> {
    let params = encode(params).map_err(anyhow::Error::from_boxed)?;
    Ok(TaskMessage::new(TaskId::new(), P::NAME, params, options)?)
}

/// What they return: by what its start can be told, and its params be checked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Its number, doubled.
    pub(crate) twice: u64,
    /// [`now`] at its first line.
    pub(crate) at: u64,
}

impl Noop {
    pub(crate) fn new(n: u64) -> Self {
        Self { n, pad: "x".repeat(PAD) }
    }

    pub(crate) fn message(n: u64, options: TaskOptions) -> anyhow::Result<TaskMessage> {
        message(&Self::new(n), options)
    }
}

/// Nanoseconds of the clock that all processes of this machine share and that nobody sets.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// How often each task ran in this process, by its number.
#[derive(Clone, Debug)]
pub(crate) struct Book(Arc<[AtomicU8]>);

impl Book {
    pub(crate) fn new(tasks: u64) -> Self {
        Self((0..tasks).map(|_| AtomicU8::new(0)).collect())
    }

    /// Task n runs.
    fn seen(&self, n: u64) -> Seen {
        let at = now();
        if let Some(count) = usize::try_from(n).ok().and_then(|n| self.0.get(n)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Seen { twice: n * 2, at }
    }

    pub(crate) fn counts(&self) -> Vec<u8> {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Writes the counts of this process into a folder for all.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join(std::process::id().to_string()), self.counts())
    }

    pub(crate) fn registry(&self) -> TaskRegistry {
        let (book, of_waits) = (self.clone(), self.clone());
        let registry = TaskRegistry::new().register_fn(move |params: Noop, _ctx| {
            let seen = book.seen(params.n);
            async move { Ok(seen) }
        });
        registry.register_fn(move |params: Wait, _ctx| {
            let seen = of_waits.seen(params.task.n);
            async move {
                tokio::time::sleep(Duration::from_nanos(params.until.saturating_sub(now()))).await;
                Ok(seen)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_params_are_of_the_size_that_the_figures_are_told_for() {
        assert_eq!(encode(&Noop::new(100_000)).unwrap().len(), 100);
        assert_eq!(encode(&Noop::new(0)).unwrap().len(), 96);
    }
}
