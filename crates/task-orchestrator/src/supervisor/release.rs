//! Giving back what dead workers held.

use std::time::Duration;

use task_core::{Incarnation, Name, Queue as _, QueueError, TaskQueue};
use tokio::{sync::mpsc, task::JoinSet};

use super::plan::{Event, Start};

/// The releases that are not done yet. While the queue is away they are kept and sent again; nothing waits for them.
#[derive(Debug)]
pub(super) struct Releases {
    queue: TaskQueue,
    names: Vec<Name>,
    events: mpsc::Sender<Event>,
    open: JoinSet<()>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);

impl Releases {
    pub(super) fn new(queue: TaskQueue, names: Vec<Name>, events: mpsc::Sender<Event>) -> Self {
        Self { queue, names, events, open: JoinSet::new() }
    }

    /// Closes a dead worker's incarnation in each named queue.
    pub(super) fn begin(&mut self, start: Start, label: String, incarnation: Incarnation) {
        while self.open.try_join_next().is_some() {}
        let (queue, names, events) = (self.queue.clone(), self.names.clone(), self.events.clone());
        self.open.spawn(async move {
            let mut tasks = 0;
            for name in &names {
                tasks += release(&queue, name, incarnation).await;
            }
            if tasks > 0 {
                tracing::warn!(worker = %label, tasks, "a worker died under tasks: given back");
            }
            let _ = events.send(Event::Released { start, tasks }).await;
        });
    }

    /// Waits for those that are open, but not for ever: the end of a lease does the same, later.
    pub(super) async fn finish(mut self, patience: Duration) {
        let all = async { while self.open.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!(
                "the queue is away: what stopped workers held is given back when their leases end"
            );
        }
    }
}

async fn release(queue: &TaskQueue, name: &Name, incarnation: Incarnation) -> u64 {
    let (mut pause, mut told) = (FIRST_PAUSE, false);
    loop {
        match queue.release(name, incarnation).await {
            Ok(tasks) => return tasks,
            Err(error) if error.is_transient() || matches!(error, QueueError::Refused(_)) => {
                if std::mem::replace(&mut told, true) {
                    tracing::debug!(%error, queue = %name, "sending the release of a dead worker again");
                } else {
                    tracing::warn!(%error, queue = %name, "a dead worker's tasks are given back later");
                }
            }
            Err(error) => {
                tracing::error!(%error, queue = %name, "a dead worker's tasks can't be given back; its lease will end");
                return 0;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use task_queue_memory::MemoryQueue;
    use task_testkit::{Hostile, Mishap};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_release_that_waits_for_its_queue_is_told_once() {
        // each dead worker wrote a line every two seconds for as long as the queue was away
        let lines = Lines::default();
        let over = lines.clone();
        let log =
            tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(move || over.clone());
        let _guard = tracing::subscriber::set_default(log.finish());
        let queue = TaskQueue::new(Hostile::new(MemoryQueue::new()).plan([Mishap::Fail; 20]));
        assert_eq!(release(&queue, &Name::DEFAULT_QUEUE, Incarnation::new()).await, 0);
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(lines.matches("a dead worker's tasks are given back later").count(), 1, "{lines}");
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
