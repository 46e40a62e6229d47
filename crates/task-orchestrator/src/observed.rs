//! What workers see of their attempts, on its way into metrics: at once on `memory:`, and from a worker process over its
//! NOTIFY_SOCKET, as one more word of that protocol.

use std::{
    collections::HashMap,
    io,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use task_core::Name;
use task_monitor::Observations;
use task_worker::{AttemptEnded, WorkerObserver};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

/// For a worker in the process that serves the metrics.
pub(crate) struct ToMetrics(pub(crate) Arc<Observations>);

impl WorkerObserver for ToMetrics {
    fn attempt_ended(&self, attempt: &AttemptEnded<'_>) {
        let AttemptEnded { queue, task, waited, ran, .. } = *attempt;
        self.0.ended(queue, task, 1, waited, ran);
    }
}

/// For a worker process. What is alike to a histogram is told as one sum, at most every [`GATHER`], so that many attempts
/// cost their orchestrator hardly more than one. What it has no room for now it is told later.
pub(crate) struct ToOrchestrator {
    socket: UnixDatagram,
    path: PathBuf,
    sums: Mutex<Sums>,
    news: Notify,
}

const GATHER: Duration = Duration::from_millis(100);
/// So many sums at a time, of so many attempts each: a worker whose orchestrator does not read must not grow, nor keep it
/// busy when it reads again. What is more is lost.
const MOST: usize = 10_000;
const MOST_ATTEMPTS: u32 = 100_000;
/// So many bytes a datagram, which is less than the orchestrator takes.
const DATAGRAM: usize = 3_000;

impl ToOrchestrator {
    /// Tells the one that listens on this socket, from a task of its own. Must be called within a runtime.
    ///
    /// # Errors
    /// No socket can be had.
    pub(crate) fn over(path: PathBuf) -> io::Result<Arc<Self>> {
        let socket = UnixDatagram::unbound()?;
        // it is always said to be writable, even where the other has no room: whoever waits for that to change spins
        socket.set_nonblocking(true)?;
        let to = Arc::new(Self { socket, path, sums: Mutex::default(), news: Notify::new() });
        tokio::spawn(to.clone().tell());
        Ok(to)
    }

    async fn tell(self: Arc<Self>) {
        loop {
            self.news.notified().await;
            while !self.tell_now() {
                sleep(GATHER).await;
            }
            sleep(GATHER).await;
        }
    }

    fn ended(&self, queue: Name, task: Name, waited: Duration, ran: Duration) {
        let buckets = (Observations::bucket(waited), Observations::bucket(ran));
        let mut sums = self.sums();
        let first = sums.is_empty();
        add(&mut sums, Alike { queue, task, buckets }, waited, ran);
        if first {
            self.news.notify_one();
        }
    }

    /// Tells what was gathered since it told the last, before its process ends.
    pub(crate) async fn tell_rest(&self) {
        let end = Instant::now() + Duration::from_secs(1);
        while !self.tell_now() && Instant::now() < end {
            sleep(GATHER).await;
        }
    }

    /// Answers whether the other had room for all of it.
    fn tell_now(&self) -> bool {
        let mut sums = self.sums();
        let mut untold: Vec<(Alike, Sum)> = sums.drain().collect();
        while !untold.is_empty() {
            let (datagram, lines) = datagram(&untold);
            match self.socket.send_to(datagram.as_bytes(), &self.path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sums.extend(untold);
                    return false;
                }
                // whoever does not listen does not want to know
                _ => untold.truncate(untold.len() - lines),
            }
        }
        true
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorkerObserver for ToOrchestrator {
    fn attempt_ended(&self, attempt: &AttemptEnded<'_>) {
        let AttemptEnded { queue, task, waited, ran, .. } = *attempt;
        self.ended(queue.clone(), task.clone(), waited, ran);
    }
}

type Sums = HashMap<Alike, Sum>;

/// What attempts have in common that are told as one sum.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Alike {
    queue: Name,
    task: Name,
    /// Of the histograms of how long they waited, and ran.
    buckets: (usize, usize),
}

/// So many attempts, and how long all of them waited and ran.
#[derive(Debug, Default)]
struct Sum {
    attempts: u32,
    waited: Duration,
    ran: Duration,
}

fn add(sums: &mut Sums, alike: Alike, waited: Duration, ran: Duration) {
    if sums.len() >= MOST && !sums.contains_key(&alike) {
        return;
    }
    let sum = sums.entry(alike).or_default();
    if sum.attempts < MOST_ATTEMPTS {
        sum.attempts += 1;
        sum.waited = sum.waited.saturating_add(waited);
        sum.ran = sum.ran.saturating_add(ran);
    }
}

/// As many of the last of these as one takes, and how many these are.
fn datagram(sums: &[(Alike, Sum)]) -> (String, usize) {
    let (mut text, mut lines) = (String::new(), 0);
    for (Alike { queue, task, .. }, sum) in sums.iter().rev() {
        let ended = Ended {
            queue: queue.clone(),
            task: task.clone(),
            waited: sum.waited / sum.attempts,
            ran: sum.ran / sum.attempts,
            attempts: sum.attempts,
        };
        let line = ended.to_line();
        if lines > 0 && text.len() + line.len() > DATAGRAM {
            break;
        }
        text.push_str(&line);
        lines += 1;
    }
    (text, lines)
}

/// The word of the notify protocol: so many attempts that ended, and how long each of them waited and ran on average.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    queue: Name,
    task: Name,
    waited: Duration,
    ran: Duration,
    attempts: u32,
}

/// `X_TASK_ENDED=QUEUE NAME WAITED RAN [ATTEMPTS]`, times in seconds.
const WORD: &str = "X_TASK_ENDED";

impl Ended {
    /// A line; names have no spaces.
    fn to_line(&self) -> String {
        let Self { queue, task, waited, ran, attempts } = self;
        let (waited, ran) = (waited.as_secs_f64(), ran.as_secs_f64());
        format!("{WORD}={queue} {task} {waited:.9} {ran:.9} {attempts}\n")
    }

    /// Nothing, if the word is another, or makes no sense.
    pub(crate) fn read(word: &str, value: &str) -> Option<Self> {
        let mut fields = (word == WORD).then(|| value.split(' '))?;
        let queue = fields.next()?.parse().ok()?;
        let task = fields.next()?.parse().ok()?;
        let mut time = || Duration::try_from_secs_f64(fields.next()?.parse().ok()?).ok();
        let (waited, ran) = (time()?, time()?);
        let attempts = fields.next().map_or(Some(1), |attempts| attempts.parse().ok())?;
        (1..=MOST_ATTEMPTS).contains(&attempts).then_some(Self { queue, task, waited, ran, attempts })
    }

    pub(crate) fn add_to(&self, observations: &Observations) {
        observations.ended(&self.queue, &self.task, self.attempts, self.waited, self.ran);
    }
}

#[cfg(test)]
mod tests {
    use std::iter::zip;

    use rustix::time::{ClockId, clock_gettime};
    use tokio::time::timeout;

    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// What has come of such words.
    fn heard(socket: &UnixDatagram) -> Vec<Ended> {
        let (mut heard, mut buffer) = (Vec::new(), vec![0; 65_536]);
        socket.set_nonblocking(true).unwrap();
        while let Ok(length) = socket.recv(&mut buffer) {
            assert!(length <= DATAGRAM, "{length}");
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            let words = text.lines().map(|line| line.split_once('=').unwrap());
            heard.extend(words.filter_map(|(word, value)| Ended::read(word, value)));
        }
        heard
    }

    #[test]
    fn what_a_worker_says_is_what_its_orchestrator_reads() {
        let ended = Ended {
            queue: Name::DEFAULT_QUEUE,
            task: "extract".parse().unwrap(),
            waited: Duration::from_nanos(1_500_001),
            ran: Duration::from_secs(3_600),
            attempts: 20,
        };
        let line = ended.to_line();
        let (word, value) = line.trim_end().split_once('=').unwrap();
        assert_eq!(Ended::read(word, value).as_ref(), Some(&ended));
        assert_eq!(Ended::read("READY", value), None);
        let one = Ended::read(WORD, "tasks extract 0.001500001 3600").unwrap();
        assert_eq!(one, Ended { attempts: 1, ..ended });
        for bad in [
            "",
            "tasks",
            "tasks extract 1",
            "tasks extract -1 1",
            "tasks extract 1 soon",
            "ta+sks a 1 1",
            "tasks extract 1 1 0",
            "tasks extract 1 1 100001",
            "tasks extract 1 1 many",
        ] {
            assert_eq!(Ended::read(WORD, bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn attempts_are_told_by_the_buckets_that_they_count_for_in_datagrams_that_are_taken_whole() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("n")).unwrap();
        let to = ToOrchestrator::over(folder.path().join("n")).unwrap();
        let tasks: Vec<Name> = (0..40).map(|n| format!("a{n:0>63}").parse().unwrap()).collect();
        for task in &tasks {
            for (waited, ran) in [(1, 2), (1, 4), (1, 6), (2, 3)] {
                to.ended(Name::DEFAULT_QUEUE, task.clone(), millis(waited), millis(ran));
            }
        }
        assert!(to.tell_now());
        let mut told = heard(&socket);
        told.sort_by(|a, b| (&a.task, a.ran, a.waited).cmp(&(&b.task, b.ran, b.waited)));
        assert_eq!(told.len(), 3 * tasks.len());
        for (told, task) in zip(told.chunks(3), &tasks) {
            let told: Vec<_> = told.iter().map(|e| (&e.task, e.waited, e.ran, e.attempts)).collect();
            let (one, two) = (millis(1), millis(2));
            assert_eq!(
                told,
                [(task, one, millis(3), 2), (task, two, millis(3), 1), (task, one, millis(6), 1)]
            );
        }
    }

    /// A worker whose orchestrator was busy for a moment took the core that this would have needed, for as long as it was.
    #[tokio::test]
    async fn an_orchestrator_that_does_not_read_costs_a_worker_no_time_and_hears_all_of_it_later() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("n")).unwrap();
        let to = ToOrchestrator::over(folder.path().join("n")).unwrap();
        let other = UnixDatagram::unbound().unwrap();
        other.set_nonblocking(true).unwrap();
        while other.send_to(b"STATUS=busy", folder.path().join("n")).is_ok() {}

        to.ended(Name::DEFAULT_QUEUE, "a".parse().unwrap(), millis(1), millis(2));
        let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap(); // of all tasks here
        let before = used();
        sleep(millis(500)).await;
        assert!(used() - before < millis(250), "{:?}", used() - before);
        to.ended(Name::DEFAULT_QUEUE, "a".parse().unwrap(), millis(1), millis(4));

        let hear = async {
            let mut attempts = 0;
            while attempts < 2 {
                attempts += heard(&socket).iter().map(|ended| ended.attempts).sum::<u32>();
                sleep(millis(10)).await;
            }
            attempts
        };
        assert_eq!(timeout(Duration::from_secs(20), hear).await, Ok(2));
    }
}
