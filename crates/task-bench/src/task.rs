use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
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

/// What it returns: by what its start can be told, and its params be checked.
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
        let params = encode(&Self::new(n)).map_err(anyhow::Error::from_boxed)?;
        Ok(TaskMessage::new(TaskId::new(), Self::NAME, params, options)?)
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

    fn ran(&self, n: u64) {
        if let Some(count) = usize::try_from(n).ok().and_then(|n| self.0.get(n)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Vec<u8> {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    pub(crate) fn registry(&self) -> TaskRegistry {
        let book = self.clone();
        TaskRegistry::new().register_fn(move |params: Noop, _ctx| {
            let at = now();
            book.ran(params.n);
            async move { Ok(Seen { twice: params.n * 2, at }) }
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
