use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Capabilities, Claim, Claimed, Command, ControlAnswer, Durability,
    EnqueueReply, Explanation, Filter, FromUrl, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page,
    Queue, QueueError, QueueStats, SettleReply, SettleRequest, TaskId, TaskMessage, Timestamp,
    without_password,
};
use task_queue_memory::state::{
    Beat, Cancel, Delete, Enqueue, Purge, Recorded, Release, Replay, SetLimit, SetPaused, Settle, State, Tell,
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    wakes::Wakes,
    writer::{Job, Writer, encode},
};

/// A queue in a folder: a cheap, cloneable handle; all its clones are one queue. May be used from any runtime.
///
/// One process at a time has the folder. When the last handle is dropped, it is free again.
#[derive(Clone, Debug)]
pub struct FileQueue {
    writer: Arc<Writer>,
    folder: Arc<Path>,
}

/// The longest wait; what is longer is cut, so that no sum overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// Who waits for tasks claims again so often at least, since a claim is a sign of life; who waits for a result looks again,
/// since time alone may have ended its task.
const AGAIN: Duration = Duration::from_secs(5);

impl FileQueue {
    /// A journal is written anew once it is longer than this and twice as long as when it was written last.
    pub const LEAST: u64 = 16 << 20;

    /// Opens the queue of a folder, which is made if it isn't there.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`] if the folder can't be used, or another process has it; [`QueueError::Corrupt`] if its
    /// journal is damaged; [`QueueError::Refused`] if that is of another version.
    pub async fn open(folder: impl Into<PathBuf>) -> Result<Self, QueueError> {
        Self::open_with(folder, Self::LEAST).await
    }

    /// The same with another number of bytes than [`LEAST`](Self::LEAST).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(folder: impl Into<PathBuf>, least: u64) -> Result<Self, QueueError> {
        let folder = folder.into();
        let writer = Writer::open(folder.clone(), least).await?;
        Ok(Self { writer: writer.into(), folder: folder.into() })
    }

    /// Carries a command out once it is on the disk; answers also after which time something is due next.
    async fn change<R>(&self, queue: &Name, request: R) -> Result<(R::Reply, Option<Duration>), QueueError>
    where
        R: Recorded + Send + 'static,
        R::Reply: Send + 'static,
    {
        let command = encode(&request)?;
        let (answer, answered) = oneshot::channel();
        let then = move |written: Result<(&mut State, Timestamp), QueueError>| {
            let reply = written.map(|(state, now)| {
                let reply = state.apply(request, now);
                (reply, state.next_event().map(|next| next.since(now)))
            });
            answer.send(reply).ok(); // who asked may be gone
        };
        self.writer.send(Job::Change { queue: queue.clone(), command, then: Box::new(then) });
        answered.await.map_err(|_| gone())?
    }

    /// Looks at a named queue; `None` if there is none of this name.
    async fn look<T, F>(&self, queue: &Name, look: F) -> Result<Option<T>, QueueError>
    where
        T: Send + 'static,
        F: FnOnce(&State, Timestamp) -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let then = move |state: Option<&State>, now| drop(answer.send(state.map(|state| look(state, now))));
        self.writer.send(Job::Look { queue: queue.clone(), then: Box::new(then) });
        answered.await.map_err(|_| gone())
    }

    fn wakes(&self, queue: &Name) -> Arc<Wakes> {
        self.writer.wakes.of(queue)
    }
}

fn gone() -> QueueError {
    QueueError::answer_lost("the thread of the journal has ended, which is a bug; start the program again")
}

impl Queue for FileQueue {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        let queue = batch.queue.clone();
        let enqueue = Enqueue::new(batch, self.writer.clock.now())?;
        Ok(EnqueueReply::new(self.change(&queue, enqueue).await?.0, Durability::Always))
    }

    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        let end = Instant::now() + claim.wait.min(LONGEST);
        let wakes = self.wakes(&claim.queue);
        loop {
            let (mut ready, mut changed) = (pin!(wakes.ready.notified()), pin!(wakes.changed.notified()));
            changed.as_mut().enable();
            let (granted, due) = self.change(&claim.queue, claim.clone()).await?;
            let granted = granted.map_err(|_| QueueError::Closed(claim.worker))?;
            if granted.is_answer() || Instant::now() >= end {
                return Ok(granted.into());
            }
            let again = Instant::now() + due.unwrap_or(AGAIN).min(AGAIN);
            // Whichever branch wins, the loop looks at everything again; a wake by `ready` that loses against another
            // branch is passed on by Tokio when its future is dropped.
            tokio::select! {
                () = &mut changed => {}
                () = &mut ready, if !granted.barred => {}
                () = sleep_until(end.min(again)) => {}
            }
        }
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        let queue = request.queue.clone();
        Ok(self.change(&queue, Settle::try_from(request)?).await?.0.into())
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        let end = Instant::now() + beat.wait.min(LONGEST);
        let wakes = self.wakes(&beat.queue);
        let (mut progress, mut holds) = (beat.progress, beat.holds);
        loop {
            let mut told = pin!(wakes.told.notified());
            told.as_mut().enable();
            let (worker, registration) = (beat.worker, beat.registration.clone());
            let (progress, holds) = (std::mem::take(&mut progress), holds.take());
            let (heard, busy) = (beat.heard, beat.busy);
            let said = Beat { worker, registration, heard, holds, busy, progress };
            let (reply, _) = self.change(&beat.queue, said).await?;
            if reply.news || timeout_at(end, told).await.is_err() {
                return Ok(reply.into());
            }
        }
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        Ok(self.change(queue, Release(worker)).await?.0)
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        let asked = id.clone();
        let found = self.look(queue, move |state, now| state.look(&asked, now)).await?;
        found.map_or(Ok(Lookup::NotFound), |stored| stored.read(queue, id))
    }

    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        let end = Instant::now() + timeout.min(LONGEST);
        let wakes = self.wakes(queue);
        loop {
            let mut ended = pin!(wakes.ended.notified());
            ended.as_mut().enable();
            let found = self.result(queue, id).await?;
            if !found.is_live() || Instant::now() >= end {
                return Ok(found);
            }
            timeout_at(end.min(Instant::now() + AGAIN), ended).await.ok(); // either way it looks again
        }
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        let name = format!("files in {}", self.folder.display());
        let mut info = BackendInfo::new(name, Capabilities::all(), Durability::Always);
        info.layout = Some(State::VERSION.to_string());
        Ok(info)
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        Ok(self.change(queue, Cancel(id.clone())).await?.0)
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        match command {
            Command::Pause => self.change(queue, SetPaused(true)).await.map(|done| done.0),
            Command::Resume => self.change(queue, SetPaused(false)).await.map(|done| done.0),
            Command::Replay(id) => self.change(queue, Replay(id)).await.map(|done| done.0),
            Command::Delete(id) => self.change(queue, Delete(id)).await.map(|done| done.0),
            Command::Limit(limit) => self.change(queue, SetLimit(limit)).await.map(|done| done.0),
            Command::Tell(worker, word) => self.change(queue, Tell(worker, word)).await.map(|done| done.0),
            Command::Purge => self.purge(queue).await.map(ControlAnswer::Done),
            other => Err(QueueError::invalid(format!("this queue does not know the command {other:?}"))),
        }
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        let stats = self.look(queue, |state, now| state.stats(now)).await?;
        Ok(stats.unwrap_or_else(|| QueueStats::new(queue.clone())))
    }

    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        let listed = self.look(queue, move |state, now| state.list(&filter, now)).await?;
        listed.map_or(Ok(Page::default()), |listed| listed?.read(queue))
    }

    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        let asked = id.clone();
        let found = self.look(queue, move |state, now| state.explain(&asked, now)).await?;
        let Some((stored, reasons)) = found else { return Ok(None) };
        let record = stored.read(queue, id)?.into_found();
        Ok(record.map(|record| Explanation::new(record, reasons)))
    }

    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        let (answer, answered) = oneshot::channel();
        let look = |queues: &crate::journal::Queues| drop(answer.send(queues.keys().cloned().collect()));
        self.writer.send(Job::LookAround(Box::new(look)));
        answered.await.map_err(|_| gone())
    }

    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        let asked = id.clone();
        let found = self.look(queue, move |state, now| state.message(&asked, now)).await?;
        found.unwrap_or(Ok(None))
    }
}

impl FileQueue {
    /// Cancels what waits now, in steps between which others have their turn.
    async fn purge(&self, queue: &Name) -> Result<u64, QueueError> {
        const STEP: u64 = 1000;
        // what comes in meanwhile may be taken for what waited, but does not make the purge endless
        let stats = Queue::stats(self, queue).await?;
        let (most, mut purged) = (stats.pending + stats.retry, 0);
        while purged < most {
            let step = (most - purged).min(STEP) as usize;
            match self.change(queue, Purge(step)).await?.0 {
                0 => break,
                n => purged += n,
            }
        }
        Ok(purged)
    }

    /// Moves the clock on in small steps, as if the queue had been used all the time.
    #[cfg(test)]
    pub(crate) async fn advance(&self, by: Duration) {
        let (tell, told) = oneshot::channel();
        self.writer.send(Job::Pass { by, then: Box::new(|| tell.send(()).unwrap()) });
        told.await.unwrap();
        for queue in Queue::queues(self).await.unwrap() {
            let wakes = self.wakes(&queue);
            wakes.changed.notify_waiters();
            wakes.told.notify_waiters();
            wakes.ended.notify_waiters();
        }
    }

    /// Lets the clock jump, as if nobody had called in between.
    #[cfg(test)]
    pub(crate) fn outage(&self, by: Duration) {
        self.writer.clock.move_on(by);
    }

    /// Whether the journal leads to what is in memory, to the last byte.
    #[cfg(test)]
    pub(crate) fn is_replayed_exactly(&self) -> bool {
        let (answer, answered) = std::sync::mpsc::channel();
        let path = self.folder.join("journal");
        let look = move |queues: &crate::journal::Queues| {
            let replayed = crate::journal::replay(&path, &std::fs::read(&path).unwrap()).unwrap();
            let written = |queues| rmp_serde::to_vec(queues).unwrap();
            answer.send(written(queues) == written(&replayed.queues)).unwrap();
        };
        self.writer.send(Job::LookAround(Box::new(look)));
        answered.recv().unwrap()
    }
}

impl FromUrl for FileQueue {
    const URLS: &'static str = "file:///FOLDER";

    fn accepts(url: &str) -> bool {
        url.starts_with("file:")
    }

    /// Workers run inside the orchestrator, since one process has the folder.
    fn in_process(_url: &str) -> bool {
        true
    }

    /// The next process finds the folder as the last one left it, and `--drain` alone finishes what is in it.
    fn outlives_process(_url: &str) -> bool {
        true
    }

    async fn from_url(url: &str) -> Result<Self, QueueError> {
        match url.strip_prefix("file://").filter(|folder| folder.starts_with('/')) {
            Some(folder) => Self::open(folder).await,
            None => Err(QueueError::invalid(format!(
                "the queue URL `{}` names no folder of this machine; write it with its whole path: file:///var/lib/app/queue",
                without_password(url)
            ))),
        }
    }
}
