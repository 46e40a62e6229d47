//! Apps: they enqueue tasks of every kind without a pause, cancel some, and wait for the results of others.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chaos::now;
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;
use task_core::{
    CancelAnswer, Enqueue, QueueError, ResultError, ResultMessage, RetryPolicy, TaskHandle, TaskQueue,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Quick,
    /// Fails so often before it returns something.
    Flaky(u32),
    /// Fails more often than it is tried.
    Exhausted,
    Fatal,
    Skipped,
    Slow,
    Spin,
    /// Has so many follow-ups.
    Parent(u32),
}

impl Kind {
    /// How often it is tried again.
    pub(crate) const RETRIES: u32 = 2;

    fn any(rng: &mut Rng) -> Self {
        match rng.u32(0..100) {
            0..50 => Self::Quick,
            50..60 => Self::Flaky(rng.u32(1..=Self::RETRIES)),
            60..63 => Self::Exhausted,
            63..66 => Self::Fatal,
            66..70 => Self::Skipped,
            70..90 => Self::Slow,
            90..92 => Self::Spin,
            _ => Self::Parent(rng.u32(1..=3)),
        }
    }

    fn enqueue(self, queue: &TaskQueue, rng: &mut Rng) -> Enqueue<u32> {
        match self {
            Self::Quick => {
                let size = if rng.u32(0..50) == 0 { rng.usize(10_000..100_000) } else { rng.usize(0..100) };
                queue.enqueue_named("quick", &json!({"pad": "x".repeat(size)}))
            }
            Self::Flaky(until) => queue.enqueue_named("flaky", &json!({"until": until})),
            Self::Exhausted => queue.enqueue_named("flaky", &json!({"until": u32::MAX})),
            Self::Fatal => queue.enqueue_named("fatal", &json!({})),
            Self::Skipped => queue.enqueue_named("skipped", &json!({})),
            Self::Slow => queue.enqueue_named("slow", &json!({"millis": rng.u32(1..=300)})),
            Self::Spin => queue.enqueue_named("spin", &json!({"millis": rng.u32(1..=50)})),
            Self::Parent(children) => queue.enqueue_named("parent", &json!({"children": children})),
        }
    }
}

/// What became of a cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    NotAsked,
    Answered(CancelAnswer),
    /// Its answer was lost for good.
    Unknown,
}

/// A task that an app enqueued.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) priority: u8,
    pub(crate) delayed: bool,
    /// Which app, and in which of its batches: a batch is sent once the one before is acknowledged.
    pub(crate) app: usize,
    pub(crate) batch: usize,
    /// When it was acknowledged; `None`: the app doesn't know whether it was taken in.
    pub(crate) acked: Option<u64>,
    pub(crate) cancel: Cancel,
}

/// What all apps of a run share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) acked: AtomicUsize,
    pub(crate) cancelled: AtomicUsize,
    /// Of whose runs the ledger has an end.
    pub(crate) ended: AtomicUsize,
    /// What waiting apps were told.
    pub(crate) seen: Mutex<Vec<ResultMessage>>,
}

impl Shared {
    fn backlog(&self) -> usize {
        let done = self.cancelled.load(Ordering::Relaxed) + self.ended.load(Ordering::Relaxed);
        self.acked.load(Ordering::Relaxed).saturating_sub(done)
    }
}

/// The most tasks that wait because of the apps, and the longest that an app holds back for it: some never end in the
/// ledger, as they are cancelled while they wait, or lost with a server that kept them back from its disk.
const BACKLOG: usize = 300;
const HOLD_BACK: Duration = Duration::from_secs(1);
/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(100);

pub(crate) struct App {
    pub(crate) number: usize,
    pub(crate) queue: TaskQueue,
    pub(crate) rng: Rng,
    pub(crate) shared: Arc<Shared>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl App {
    /// Enqueues until it is stopped; answers with what it enqueued.
    pub(crate) async fn live(mut self) -> Vec<Entry> {
        let (mut entries, mut waiting, mut batch) = (Vec::new(), JoinSet::new(), 0);
        while !*self.stop.borrow() {
            self.hold_back().await;
            let size = self.rng.usize(1..=30);
            let mut sent: Vec<Entry> =
                (0..size).map(|place| self.plan(batch, entries.len() + place)).collect();
            let enqueues: Vec<_> = sent.iter().map(|entry| self.enqueue(entry)).collect();
            let answers = join_all(enqueues).await;
            for (entry, answer) in sent.iter_mut().zip(answers) {
                let Some((handle, acked)) = answer else { continue };
                entry.acked = Some(acked);
                self.shared.acked.fetch_add(1, Ordering::Relaxed);
                match self.rng.u32(0..100) {
                    0..3 => self.cancel(entry, &handle).await,
                    3..8 if waiting.len() < 50 => {
                        waiting.spawn(wait(handle, self.shared.clone()));
                    }
                    _ => {}
                }
            }
            entries.extend(sent);
            batch += 1;
            while waiting.try_join_next().is_some() {}
        }
        waiting.join_all().await;
        entries
    }

    async fn hold_back(&self) {
        let end = Instant::now() + HOLD_BACK;
        while self.shared.backlog() > BACKLOG && Instant::now() < end && !*self.stop.borrow() {
            sleep(Duration::from_millis(5)).await; // the pace of an app, which nothing tells when others are done
        }
    }

    fn plan(&mut self, batch: usize, place: usize) -> Entry {
        let kind = Kind::any(&mut self.rng);
        let priority = *self.rng.choice(&[10, 50, 50, 50, 90]).expect("there are some");
        let (id, delayed) = (format!("a{}-{place}", self.number), self.rng.u32(0..10) == 0);
        let app = self.number;
        Entry { id, kind, priority, delayed, app, batch, acked: None, cancel: Cancel::NotAsked }
    }

    /// Sends it, again and again under the same id, until it is acknowledged, and says when; or until it is time to
    /// stop.
    fn enqueue(&self, entry: &Entry) -> impl Future<Output = Option<(TaskHandle<u32>, u64)>> + use<> {
        let (queue, stop, entry) = (self.queue.clone(), self.stop.clone(), entry.clone());
        // the params and the delay follow from the id, so that it is the same task each time
        let seed =
            entry.id.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        async move {
            loop {
                let mut rng = Rng::with_seed(seed);
                let mut enqueue = entry.kind.enqueue(&queue, &mut rng);
                if entry.delayed {
                    enqueue = enqueue.delay(Duration::from_millis(rng.u64(1..2000)));
                }
                let enqueue = enqueue
                    .id(entry.id.parse().expect("an id"))
                    .priority(entry.priority)
                    .max_retries(Kind::RETRIES)
                    .backoff(RetryPolicy::exponential(
                        Duration::from_millis(100),
                        Duration::from_millis(500),
                    ));
                match enqueue.await {
                    Ok(handle) => return Some((handle, now())),
                    Err(error) if !error.is_transient() => panic!("{}: {error}", entry.id),
                    Err(_) if *stop.borrow() => return None,
                    Err(QueueError::Full(_)) => sleep(Duration::from_millis(50)).await, // an app that tries again
                    Err(_) => {}
                }
            }
        }
    }

    async fn cancel(&self, entry: &mut Entry, handle: &TaskHandle<u32>) {
        let answer = handle.cancel().await;
        entry.cancel = answer.map_or(Cancel::Unknown, Cancel::Answered);
        if entry.cancel == Cancel::Answered(CancelAnswer::Cancelled) {
            self.shared.cancelled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn wait(handle: TaskHandle<u32>, shared: Arc<Shared>) {
    match handle.finished(PATIENCE).await {
        Ok(record) => shared.seen.lock().unwrap().push(record),
        // where a server may lose what it acknowledged, the checker says what may be missing; and an app gives up at last
        Err(ResultError::NotFound { .. } | ResultError::Queue(_) | ResultError::TimedOut { .. }) => {}
        Err(error) => panic!("{}: {error}", handle.id()),
    }
}
