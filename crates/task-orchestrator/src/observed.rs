//! What workers see of their attempts, on its way into metrics: at once on `memory:`, and from a worker process over its
//! NOTIFY_SOCKET, as one more word of that protocol.

use std::{path::PathBuf, sync::Arc, time::Duration};

use task_core::Name;
use task_monitor::Observations;
use task_worker::{AttemptEnded, WorkerObserver};
use tokio::{
    net::UnixDatagram,
    sync::mpsc::{self, Receiver, Sender},
};

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    queue: Name,
    task: Name,
    waited: Duration,
    ran: Duration,
}

/// The word of the notify protocol: `X_TASK_ENDED=QUEUE NAME WAITED RAN`, times in seconds.
const WORD: &str = "X_TASK_ENDED";

impl Sample {
    fn of(attempt: &AttemptEnded<'_>) -> Self {
        let (queue, task) = (attempt.queue.clone(), attempt.task.clone());
        Self { queue, task, waited: attempt.waited, ran: attempt.ran }
    }

    /// A line; names have no spaces.
    fn to_line(&self) -> String {
        let Self { queue, task, waited, ran } = self;
        format!("{WORD}={queue} {task} {:.6} {:.6}\n", waited.as_secs_f64(), ran.as_secs_f64())
    }

    /// Nothing, if the word is another, or makes no sense.
    pub(crate) fn read(word: &str, value: &str) -> Option<Self> {
        let mut fields = (word == WORD).then(|| value.split(' '))?;
        let queue = fields.next()?.parse().ok()?;
        let task = fields.next()?.parse().ok()?;
        let mut time = || Duration::try_from_secs_f64(fields.next()?.parse().ok()?).ok();
        Some(Self { queue, task, waited: time()?, ran: time()? })
    }

    pub(crate) fn add_to(&self, observations: &Observations) {
        observations.waited(&self.queue, &self.task, self.waited);
        observations.ran(&self.queue, &self.task, self.ran);
    }
}

/// For a worker in the process that serves the metrics.
pub(crate) struct ToMetrics(pub(crate) Arc<Observations>);

impl WorkerObserver for ToMetrics {
    fn attempt_ended(&self, attempt: &AttemptEnded<'_>) {
        Sample::of(attempt).add_to(&self.0);
    }
}

/// For a worker process.
pub(crate) struct ToOrchestrator(Sender<Sample>);

/// Samples on their way to the orchestrator; what is more than this is lost, and nobody waits.
const ON_THE_WAY: usize = 10_000;
/// So many bytes a datagram, which is less than the orchestrator takes.
const DATAGRAM: usize = 3_000;

impl ToOrchestrator {
    /// Tells the one that listens on this socket, from a task of its own. Must be called within a runtime.
    pub(crate) fn over(socket: PathBuf) -> Self {
        let (sender, samples) = mpsc::channel(ON_THE_WAY);
        tokio::spawn(send(socket, samples));
        Self(sender)
    }
}

impl WorkerObserver for ToOrchestrator {
    fn attempt_ended(&self, attempt: &AttemptEnded<'_>) {
        let _ = self.0.try_send(Sample::of(attempt));
    }
}

async fn send(path: PathBuf, mut samples: Receiver<Sample>) {
    let Ok(socket) = UnixDatagram::unbound() else { return };
    let mut some = Vec::new();
    while samples.recv_many(&mut some, 500).await > 0 {
        let mut text = String::new();
        for sample in some.drain(..) {
            let line = sample.to_line();
            if text.len() + line.len() > DATAGRAM {
                let _ = socket.send_to(text.as_bytes(), &path).await;
                text.clear();
            }
            text.push_str(&line);
        }
        // whoever does not listen does not want to know
        let _ = socket.send_to(text.as_bytes(), &path).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_says_is_what_its_orchestrator_reads() {
        let sample = Sample {
            queue: Name::DEFAULT_QUEUE,
            task: "extract".parse().unwrap(),
            waited: Duration::from_micros(1_500),
            ran: Duration::from_secs(3_600),
        };
        let line = sample.to_line();
        let (word, value) = line.trim_end().split_once('=').unwrap();
        assert_eq!(Sample::read(word, value), Some(sample));
        assert_eq!(Sample::read("READY", value), None);
        for bad in
            ["", "tasks", "tasks extract 1", "tasks extract -1 1", "tasks extract 1 soon", "ta+sks a 1 1"]
        {
            assert_eq!(Sample::read(WORD, bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn samples_arrive_in_datagrams_that_the_orchestrator_takes_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n");
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = ToOrchestrator::over(path);
        let name: Name = "a".repeat(64).parse().unwrap();
        let sample = Sample { queue: name.clone(), task: name, waited: Duration::ZERO, ran: Duration::ZERO };
        for _ in 0..100 {
            told.0.try_send(sample.clone()).unwrap();
        }
        let (mut lines, mut buffer) = (0, vec![0; 65_536]);
        while lines < 100 {
            let length = socket.recv(&mut buffer).await.unwrap();
            assert!(length <= DATAGRAM, "{length}");
            lines += std::str::from_utf8(&buffer[..length]).unwrap().lines().count();
        }
    }
}
