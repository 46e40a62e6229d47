//! What workers say beside the queue: sd_notify's words on a datagram socket of each start.

use std::{convert::Infallible, io, path::PathBuf, sync::Arc};

use task_monitor::Observations;
use tokio::{
    net::UnixDatagram,
    sync::{mpsc, oneshot},
};

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
    _listens: oneshot::Sender<Infallible>,
}

/// More than any line of sd_notify.
const MAX_DATAGRAM: usize = 4096;
/// More than a socket holds unread (net.unix.max_dgram_qlen is 10 to 512), and few enough where somebody still writes.
const MOST_LEFT: usize = 1000;

impl NotifySocket {
    /// Must be called within a runtime. What is said goes to `ear` until the socket is dropped; then what was said of
    /// attempts before is still counted.
    pub(super) fn open(path: PathBuf, start: Start, ear: Ear) -> io::Result<Self> {
        let socket = UnixDatagram::bind(&path)?;
        let (listens, mut over) = oneshot::channel();
        tokio::spawn(async move {
            let mut buffer = vec![0; MAX_DATAGRAM];
            let heard = |datagram: &[u8]| {
                let (events, ended) = read(&String::from_utf8_lossy(datagram), start);
                ended.iter().for_each(|ended| ended.add_to(&ear.observations));
                events
            };
            loop {
                // what is not received yet stays in the socket
                let length = tokio::select! {
                    biased;
                    _over = &mut over => break,
                    received = socket.recv(&mut buffer) => match received {
                        Ok(length) => length,
                        Err(_) => break,
                    },
                };
                for event in heard(&buffer[..length]) {
                    // nobody to tell: it is about to be dropped
                    let _ = ear.events.send(event).await;
                }
            }
            // it stays one that does not block
            let Ok(socket) = socket.into_std() else { return };
            for _ in 0..MOST_LEFT {
                let Ok(length) = socket.recv(&mut buffer) else { return };
                heard(&buffer[..length]);
            }
        });
        Ok(Self { path, _listens: listens })
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
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
    use std::time::Duration;

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

    /// What a worker said just before it ended was lost with its socket.
    #[tokio::test]
    async fn the_last_words_of_a_worker_that_has_ended_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (events, _happened) = mpsc::channel(8);
        let observations = Arc::<Observations>::default();
        let ear = Ear { events, observations: observations.clone() };
        let socket = NotifySocket::open(folder.path().join("n"), 1, ear).unwrap();
        let client = std::os::unix::net::UnixDatagram::unbound().unwrap();
        for attempts in [3, 4] {
            let word = format!("X_TASK_ENDED=tasks echo 1 2 {attempts}");
            client.send_to(word.as_bytes(), socket.path()).unwrap();
        }
        drop(socket);
        let counted = async {
            while !format!("{observations:?}").contains("count: 7") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), counted).await.expect("all are counted");
    }
}
