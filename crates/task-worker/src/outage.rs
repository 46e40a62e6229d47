use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use task_core::{Name, QueueError, printable};
use tokio::{sync::watch, time::Instant};

/// What is logged while the queue is away: a line when that begins, one when it ends, and nothing above debug in
/// between, however many calls fail; but an error that does not end by itself is told again each minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outage(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whose calls they are.
    worker: String,
    away: Mutex<Away>,
    on: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Away {
    /// The calls that were not answered last time.
    calls: HashSet<(&'static str, Name)>,
    since: Option<Instant>,
    /// When somebody was told last of an error that does not end by itself.
    refused: Option<Instant>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Outage {
    /// Nothing has failed yet of the calls of this worker.
    pub(crate) fn of(worker: &str) -> Self {
        Self(Inner { worker: worker.into(), ..Inner::default() }.into())
    }

    /// A call was not answered, and is sent again.
    pub(crate) fn failed(&self, call: &'static str, queue: &Name, error: &QueueError) {
        let mut away = self.0.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.calls.insert((call, queue.clone()));
        let begins = away.since.is_none();
        away.since.get_or_insert_with(Instant::now);
        let refuses = !error.is_transient();
        let told = away.refused.is_some_and(|told| told.elapsed() < MINUTE);
        if refuses && !told {
            away.refused = Some(Instant::now());
        }
        drop(away);
        let error = error.to_string();
        let (worker, error) = (&self.0.worker, printable(&error));
        if begins {
            self.0.on.send_replace(true);
        }
        if refuses && !told {
            tracing::error!(%worker, call, %queue, %error, "the queue refuses a call; it is sent again, and somebody must look");
        } else if begins {
            tracing::warn!(%worker, call, %queue, %error, "the queue did not answer; calls are sent again until it does");
        } else {
            tracing::debug!(%worker, call, %queue, %error, "sending again");
        }
    }

    /// A call was answered.
    pub(crate) fn answered(&self, call: &'static str, queue: &Name) {
        let mut away = self.0.away.lock().unwrap_or_else(PoisonError::into_inner);
        if away.since.is_none() {
            return;
        }
        away.calls.remove(&(call, queue.clone()));
        let since = if away.calls.is_empty() { away.since.take() } else { None };
        drop(away);
        if let Some(since) = since {
            self.0.on.send_replace(false);
            let (worker, seconds) = (&self.0.worker, since.elapsed().as_secs());
            tracing::info!(%worker, seconds, "the queue answers again");
        }
    }

    /// Whether calls are being sent again now.
    pub(crate) fn is_on(&self) -> bool {
        *self.0.on.borrow()
    }

    /// Tells when that changes.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.0.on.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_ends_when_every_call_that_failed_was_answered() {
        let (outage, queue) = (Outage::default(), Name::DEFAULT_QUEUE);
        let error = QueueError::unreachable("away");
        outage.failed("claim", &queue, &error);
        outage.failed("settle", &queue, &error);
        outage.answered("heartbeat", &queue);
        outage.answered("claim", &queue);
        assert!(outage.is_on());
        outage.answered("settle", &queue);
        assert!(!outage.is_on());
    }

    #[test]
    fn what_the_queue_refuses_is_told_also_while_it_is_away() {
        // a queue that was away came back with other rights: its worker did nothing from then on, and did not say why
        let lines = Lines::default();
        let over = lines.clone();
        let log =
            tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(move || over.clone());
        tracing::subscriber::with_default(log.finish(), || {
            let (outage, queue) = (Outage::default(), Name::DEFAULT_QUEUE);
            outage.failed("heartbeat", &queue, &QueueError::unreachable("away"));
            for _ in 0..10 {
                outage.failed("claim", &queue, &QueueError::Refused("no right to EVALSHA".into()));
            }
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(lines.matches("no right to EVALSHA").count(), 1, "{lines}");
    }

    #[test]
    fn however_many_calls_fail_an_outage_is_two_lines() {
        // ten workers wrote a line each for every call, and a minute of an outage filled a disk
        let lines = Lines::default();
        let over = lines.clone();
        let log =
            tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(move || over.clone());
        tracing::subscriber::with_default(log.finish(), || {
            let outage = Outage::of("worker_1");
            for queue in ["a", "b"] {
                for call in ["claim", "heartbeat", "claim"] {
                    outage.failed(call, &queue.parse().unwrap(), &QueueError::unreachable("away"));
                }
            }
            for queue in ["a", "b"] {
                for call in ["claim", "heartbeat", "claim"] {
                    outage.answered(call, &queue.parse().unwrap());
                }
            }
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(lines.contains("did not answer") && lines.contains("answers again"), "{lines}");
        assert_eq!(lines.matches("worker_1").count(), 2, "{lines}");
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
