//! Apps: they enqueue tasks of every kind without a pause, cancel some, wait for the results of others, and replay some of
//! those that failed or were cancelled.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chaos::now;
use fastrand::Rng;
use futures_util::future::join_all;
use task_core::{
    CancelAnswer, Command, ControlAnswer, Queue as _, QueueError, ResultError, ResultMessage, TaskHandle,
    TaskQueue, TaskStatus,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    entry::{Cancel, Entry, Replay, Where},
    scale::Scale,
};

/// What all apps of a run share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Of the tasks that will be run by all that is known.
    acked: AtomicUsize,
    cancelled: AtomicUsize,
    /// Of whose runs the ledger has an end.
    pub(crate) ended: AtomicUsize,
    /// The same, of those that apps enqueued, for each named queue, and last of all others.
    pub(crate) ended_in: [AtomicUsize; 4],
    /// What waiting apps were told, and when.
    pub(crate) seen: Mutex<Vec<(u64, ResultMessage)>>,
}

impl Shared {
    fn done(&self) -> usize {
        let ended = Where::ALL.map(|queue| self.ended_in[queue as usize].load(Ordering::Relaxed));
        self.cancelled.load(Ordering::Relaxed) + ended.iter().sum::<usize>()
    }

    fn backlog(&self) -> usize {
        self.acked.load(Ordering::Relaxed).saturating_sub(self.done())
    }

    /// What waits is not known any more: it may be lost, or have expired.
    pub(crate) fn forget_backlog(&self) {
        self.acked.store(self.done(), Ordering::Relaxed);
    }
}

/// The longest that an app holds back for what still waits: some never end in the ledger, as they expire, or are lost with
/// a server that kept them back from its disk.
const HOLD_BACK: Duration = Duration::from_secs(1);
/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(100);
/// So many keys are held at once in a named queue.
const KEYS: u8 = 20;

pub(crate) struct App {
    pub(crate) number: usize,
    pub(crate) queue: TaskQueue,
    pub(crate) rng: Rng,
    pub(crate) scale: &'static Scale,
    pub(crate) shared: Arc<Shared>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl App {
    /// Enqueues until it is stopped; answers with what it enqueued.
    pub(crate) async fn live(mut self) -> Vec<Entry> {
        let (mut entries, mut batch, mut next) = (Vec::new(), 0, Instant::now());
        let (mut waiting, mut replays) = (JoinSet::new(), BTreeMap::new());
        while !*self.stop.borrow() {
            self.hold_back().await;
            let size = self.rng.usize(1..=self.scale.batch);
            sleep_until(next).await; // the pace that was asked for
            next = next.max(Instant::now()) + Duration::from_secs(size as u64) / self.scale.pace;
            let mut sent: Vec<Entry> =
                (0..size).map(|place| self.plan(batch, entries.len() + place)).collect();
            let answers = join_all(sent.iter().map(|entry| self.enqueue(entry))).await;
            for (entry, answer) in sent.iter_mut().zip(answers) {
                let Some((handle, acked)) = answer else { continue };
                entry.acked = Some(acked);
                if handle.id().to_string() != entry.id {
                    entry.duplicate_of = Some(handle.id().to_string());
                    continue;
                }
                self.shared.acked.fetch_add(1, Ordering::Relaxed);
                let replays = entry.unique.is_none() && self.rng.bool();
                match self.rng.u32(0..100) {
                    0..3 => {
                        self.cancel(entry, &handle).await;
                        if replays && entry.cancel == Cancel::Answered(CancelAnswer::Cancelled) {
                            entry.replay = replay(&self.queue, &handle).await;
                        }
                    }
                    3..8 if waiting.len() < 50 => {
                        waiting.spawn(wait(self.queue.clone(), handle, self.shared.clone(), replays));
                    }
                    _ => {}
                }
            }
            entries.extend(sent);
            batch += 1;
            while let Some(waited) = waiting.try_join_next() {
                replays.extend(waited.unwrap());
            }
        }
        replays.extend(waiting.join_all().await.into_iter().flatten());
        for entry in &mut entries {
            if let Some(replay) = replays.remove(&entry.id) {
                entry.replay = replay;
            }
        }
        entries
    }

    async fn hold_back(&self) {
        let end = Instant::now() + HOLD_BACK;
        while self.shared.backlog() > self.scale.backlog && Instant::now() < end && !*self.stop.borrow() {
            sleep(Duration::from_millis(5)).await; // the pace of an app, which nothing tells when others are done
        }
    }

    fn plan(&mut self, batch: usize, place: usize) -> Entry {
        let (scale, rng) = (self.scale, &mut self.rng);
        let queue = match rng.u32(0..1000) {
            part if part < scale.commands => Where::Commands,
            part if part < scale.commands + 150 => Where::Mail,
            _ => Where::Tasks,
        };
        let one_in = |rng: &mut Rng, of: u32| rng.u32(0..of) == 0;
        Entry {
            id: format!("{}{}-{place}", queue.letter(), self.number),
            kind: scale.kind(rng),
            queue,
            priority: *rng.choice(&[10, 50, 50, 50, 90]).expect("there are some"),
            delay: one_in(rng, 10).then(|| Duration::from_millis(rng.u64(1..2000))),
            expires: one_in(rng, 20).then(|| Duration::from_millis(rng.u64(1..3000))),
            unique: one_in(rng, 20).then(|| rng.u8(0..KEYS)),
            app: self.number,
            batch,
            sent: now(),
            acked: None,
            duplicate_of: None,
            cancel: Cancel::NotAsked,
            replay: Replay::NotAsked,
        }
    }

    /// Sends it, again and again under the same id, until it is acknowledged, and says when; or until it is time to
    /// stop.
    fn enqueue(&self, entry: &Entry) -> impl Future<Output = Option<(TaskHandle<u32>, u64)>> + use<> {
        let (queue, stop, entry) = (self.queue.clone(), self.stop.clone(), entry.clone());
        async move {
            loop {
                match entry.enqueue(&queue).await {
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

/// Waits for its end, and lets it run again if it `replays` and did not end well; then waits again.
async fn wait(
    queue: TaskQueue,
    handle: TaskHandle<u32>,
    shared: Arc<Shared>,
    replays: bool,
) -> Option<(String, Replay)> {
    let first = finished(&handle).await?;
    if !(replays && matches!(first.status, TaskStatus::Failed | TaskStatus::Cancelled)) {
        shared.seen.lock().unwrap().push((now(), first));
        return None;
    }
    let replayed = replay_of(&queue, &handle, first).await;
    if matches!(replayed, Replay::Of(_))
        && let Some(second) = finished(&handle).await
    {
        shared.seen.lock().unwrap().push((now(), second));
    }
    Some((handle.id().to_string(), replayed))
}

async fn finished(handle: &TaskHandle<u32>) -> Option<ResultMessage> {
    match handle.finished(PATIENCE).await {
        Ok(record) => Some(record).filter(|record| record.status.is_final()), // else its time was over
        // where a server may lose what it acknowledged, the checker says what may be missing; and an app gives up at last
        Err(ResultError::NotFound { .. } | ResultError::Queue(_) | ResultError::TimedOut { .. }) => None,
        Err(error) => panic!("{}: {error}", handle.id()),
    }
}

/// Lets a task run again that was cancelled.
async fn replay(queue: &TaskQueue, handle: &TaskHandle<u32>) -> Replay {
    match handle.message().await {
        Ok(Some(record)) => replay_of(queue, handle, record).await,
        _ => Replay::NotAsked,
    }
}

async fn replay_of(queue: &TaskQueue, handle: &TaskHandle<u32>, before: ResultMessage) -> Replay {
    let answer = queue.control(handle.queue(), Command::Replay(handle.id().clone())).await;
    match answer {
        Ok(ControlAnswer::Done(1)) => Replay::Of(Box::new(before)),
        _ => Replay::Unknown,
    }
}
