//! What workers say beside the queue: sd_notify's words on a datagram socket of each start.

use std::{io, path::PathBuf, sync::Arc};

use task_monitor::Observations;
use tokio::{net::UnixDatagram, sync::mpsc, task::AbortHandle};

use super::plan::{Event, Start};
use crate::observed::Ended;

/// Where what workers say goes.
#[derive(Clone, Debug)]
pub(super) struct Ear {
    pub(super) events: mpsc::Sender<Event>,
    pub(super) observations: Arc<Observations>,
}

/// A socket on which one start of a worker speaks; gone with its file when it is dropped.
#[derive(Debug)]
pub(super) struct NotifySocket {
    path: PathBuf,
    listener: AbortHandle,
}

/// More than any line of sd_notify.
const MAX_DATAGRAM: usize = 4096;

impl NotifySocket {
    /// Must be called within a runtime. What is said goes to `ear` until the socket is dropped.
    pub(super) fn open(path: PathBuf, start: Start, ear: Ear) -> io::Result<Self> {
        let socket = UnixDatagram::bind(&path)?;
        let listener = tokio::spawn(async move {
            let mut buffer = vec![0; MAX_DATAGRAM];
            while let Ok(length) = socket.recv(&mut buffer).await {
                let (events, ended) = read(&String::from_utf8_lossy(&buffer[..length]), start);
                ended.iter().for_each(|ended| ended.add_to(&ear.observations));
                for event in events {
                    if ear.events.send(event).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self { path, listener: listener.abort_handle() })
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        self.listener.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

fn read(datagram: &str, start: Start) -> (Vec<Event>, Vec<Ended>) {
    let (mut events, mut ended) = (Vec::new(), Vec::new());
    for line in datagram.lines() {
        match line.split_once('=') {
            Some(("READY", "1")) => events.push(Event::Ready(start)),
            Some(("WATCHDOG", "1")) => events.push(Event::Alive { start, watchdog: true }),
            Some(("STATUS", status)) => {
                tracing::debug!(start, status = %status.escape_debug(), "a worker says");
                events.push(Event::Alive { start, watchdog: false });
            }
            // said by the runtime, whatever it is that keeps the worker: no sign of life
            Some((word, value)) if word.starts_with("X_TASK_") => ended.extend(Ended::read(word, value)),
            Some(_) => events.push(Event::Alive { start, watchdog: false }),
            None => {}
        }
    }
    (events, ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_datagram_may_say_several_things() {
        let start = 4;
        let alive = |watchdog| Event::Alive { start, watchdog };
        assert_eq!(
            read("READY=1\nSTATUS=warm\nX_TASK_ENDED=?\nWATCHDOG=1\nnonsense\n", start).0,
            [Event::Ready(start), alive(false), alive(true)]
        );
    }

    #[tokio::test]
    async fn what_is_sent_arrives_and_the_file_goes_with_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n");
        let (events, mut happened) = mpsc::channel(8);
        let ear = Ear { events, observations: Arc::default() };
        let socket = NotifySocket::open(path.clone(), 1, ear).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"READY=1", socket.path()).await.unwrap();
        assert_eq!(happened.recv().await, Some(Event::Ready(1)));
        drop(socket);
        assert!(!path.exists());
    }
}
