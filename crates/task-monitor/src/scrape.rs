//! What a scrape finds: how each queue stands, now or when it last answered.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use task_core::{Name, Queue as _, QueueError, QueueStats, TaskQueue};

/// A queue that has not answered by then is away: scrapers give up after ten seconds, probes after one or two.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A named queue as a scrape found it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) queue: Name,
    pub(crate) up: bool,
    /// From now, or from when it last answered; `None` if it never did, or has no statistics.
    pub(crate) stats: Option<QueueStats>,
}

/// Asks the queues, and remembers what they said last.
#[derive(Debug)]
pub(crate) struct Scraper {
    queue: TaskQueue,
    names: Vec<Name>,
    last: Mutex<HashMap<Name, QueueStats>>,
}

impl Scraper {
    pub(crate) fn new(queue: TaskQueue, names: Vec<Name>) -> Self {
        Self { queue, names, last: Mutex::default() }
    }

    /// Asks all queues at once, and never for longer than the timeout.
    pub(crate) async fn scrape(&self) -> Vec<Seen> {
        join_all(self.names.iter().map(|name| self.ask(name))).await
    }

    async fn ask(&self, name: &Name) -> Seen {
        let queue = name.clone();
        let now = match in_time(self.queue.stats(name)).await {
            Ok(stats) => Ok(Some(stats)),
            // nothing was asked of the store yet
            Err(QueueError::Unsupported { .. }) => in_time(self.queue.info()).await.map(|_| None),
            Err(error) => Err(error),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match now {
            Ok(Some(stats)) => {
                last.insert(queue.clone(), stats.clone());
                Seen { queue, up: true, stats: Some(stats) }
            }
            Ok(None) => Seen { queue, up: true, stats: None },
            Err(error) => {
                tracing::debug!(%error, %queue, "serving the last numbers");
                Seen { stats: last.get(&queue).cloned(), up: false, queue }
            }
        }
    }

    /// What the backend warns of, or why it can't be used.
    pub(crate) async fn warnings(&self) -> Result<Vec<String>, QueueError> {
        let info = in_time(self.queue.info()).await?;
        // a backend may know itself without asking its store
        if let Some(name) = self.names.first() {
            match in_time(self.queue.stats(name)).await {
                Ok(_) | Err(QueueError::Unsupported { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(info.warnings)
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
    let late =
        |_| QueueError::unreachable(format!("no answer within {}", task_core::format_duration(TIMEOUT)));
    tokio::time::timeout(TIMEOUT, call).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

#[cfg(test)]
mod tests {
    use task_queue_memory::MemoryQueue;
    use task_testkit::{Hostile, Mishap};
    use tokio::time::Instant;

    use super::*;

    /// A scrape that waits for a queue that is away is given up by Prometheus, which then knows nothing at all: neither
    /// that the queue is away nor how it stood.
    #[tokio::test(start_paused = true)]
    async fn a_queue_that_hangs_costs_two_seconds_and_its_last_numbers_are_served() {
        let memory = MemoryQueue::new();
        TaskQueue::new(memory.clone()).enqueue_named::<()>("a", &()).await.unwrap();
        let away = Hostile::new(memory).plan([Mishap::None, Mishap::Hang, Mishap::Fail, Mishap::None]);
        let scraper = Scraper::new(TaskQueue::new(away), vec![Name::DEFAULT_QUEUE]);
        let start = Instant::now();
        for up in [true, false, false, true] {
            let seen = scraper.scrape().await.remove(0);
            assert_eq!((seen.up, seen.stats.unwrap().pending), (up, 1));
        }
        assert_eq!(start.elapsed().as_secs(), TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_never_answered_has_no_numbers_rather_than_zeros() {
        let away = Hostile::new(MemoryQueue::new()).plan([Mishap::Fail]);
        let seen = Scraper::new(TaskQueue::new(away), vec![Name::DEFAULT_QUEUE]).scrape().await.remove(0);
        assert_eq!((seen.up, seen.stats), (false, None));
    }
}
