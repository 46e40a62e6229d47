//! The worker's loop: it claims, starts attempts, settles their ends, and stops.

use std::{sync::Arc, time::Duration};

use task_core::{
    Batch, Claim, Claimed, Incarnation, Name, Outcome, Queue as _, QueueError, Registration, SettleAnswer,
    SettleReply, SettleRequest, Settlement, TaskQueue, WorkerCommand, printable,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    TaskRegistry, attempt,
    decide::Books,
    heartbeat::{Board, Held, Pulse, Told},
    outage::Outage,
    settings::{Settings, WorkerError},
    stop::Stop,
};

/// How long a claim waits for a task: so long does a worker with nothing to do take to stop.
const WAIT: Duration = Duration::from_secs(1);
/// The same where several queues share the slots.
const WAIT_SHARED: Duration = Duration::from_millis(200);
/// The longest that any call may take beyond its wait.
const CALL: Duration = Duration::from_secs(10);
/// How long a worker that stops waits for its last answers.
const LAST: Duration = Duration::from_secs(3);

struct Lane {
    name: Name,
    weight: u32,
    /// The number of the last claim.
    number: u64,
    /// How many tasks the claim under way may bring.
    asked: Option<u32>,
    settling: Vec<Settlement>,
    unsettled: Vec<Settlement>,
    wait: Duration,
    /// Claims in a row that found nothing.
    dry: u32,
}

enum Answer {
    Claimed { lane: usize, worker: Incarnation, claimed: Result<Claimed, QueueError> },
    Settled { lane: usize, worker: Incarnation, settled: Result<SettleReply, QueueError> },
}

pub(crate) struct Engine {
    queue: TaskQueue,
    registry: Arc<TaskRegistry>,
    settings: Arc<Settings>,
    registration: Arc<Registration>,
    board: Arc<Board>,
    lanes: Vec<Lane>,
    calls: JoinSet<Answer>,
    attempts: JoinSet<(usize, Settlement)>,
    books: Books,
    stopping: bool,
    /// By a command.
    paused: bool,
    /// By a signal.
    suspended: bool,
    drain: bool,
    /// A call was answered since this incarnation began.
    heard: bool,
}

impl Engine {
    pub(crate) fn new(queue: TaskQueue, registry: TaskRegistry, settings: Settings, drain: bool) -> Self {
        let mut registration = Registration::new(settings.label.clone(), registry.names().cloned());
        registration.lease = settings.lease;
        registration.concurrency = settings.concurrency;
        registration.host =
            nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        let lane = |(name, weight): &(Name, u32)| Lane {
            name: name.clone(),
            weight: *weight,
            number: 0,
            asked: None,
            settling: Vec::new(),
            unsettled: Vec::new(),
            wait: WAIT,
            dry: 0,
        };
        Self {
            queue,
            registry: registry.into(),
            registration: registration.into(),
            board: Arc::new(Board::new(settings.incarnation)),
            lanes: settings.queues.iter().map(lane).collect(),
            calls: JoinSet::new(),
            attempts: JoinSet::new(),
            books: Books { concurrency: settings.concurrency, ..Books::default() },
            settings: settings.into(),
            stopping: false,
            paused: false,
            suspended: false,
            drain,
            heard: true,
        }
    }

    /// Until it was told to stop and has, or has drained its queues.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<Stop>) -> Result<(), WorkerError> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let end = CancellationToken::new();
        let _ends_with_this = end.clone().drop_guard();
        let pulse = Pulse {
            queue: self.queue.clone(),
            names: self.lanes.iter().map(|lane| lane.name.clone()).collect(),
            registration: self.registration.clone(),
            board: self.board.clone(),
            interval: self.settings.heartbeat,
            tell,
            end,
        };
        pulse.start()?;
        let mut deadline: Option<Instant> = None;
        let mut over = false;
        loop {
            self.obey(*stop.borrow_and_update(), &mut deadline);
            self.act();
            if self.stopping && self.calls.is_empty() && (self.books.held == 0 || over) {
                break;
            }
            let empty = self.stopping && self.books.held + self.books.unsettled == 0;
            if empty {
                // only claims are under way, and a queue that is away answers none: nobody waits the whole grace for it
                let soon = Instant::now() + WAIT + LAST;
                deadline = Some(deadline.map_or(soon, |end| end.min(soon)));
            }
            // each branch can be lost without harm: joins, receives and the watch keep what was not taken
            tokio::select! {
                Some(Ok((lane, settlement))) = self.attempts.join_next() => self.ended(lane, settlement),
                Some(Ok(answer)) = self.calls.join_next() => {
                    self.answered(answer);
                    if self.drain && !self.stopping && self.drained().await {
                        self.stopping = true;
                    }
                }
                Some(told) = told.recv() => self.told(told),
                Ok(()) = stop.changed() => {}
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    if over || empty {
                        break;
                    }
                    over = true;
                    deadline = Some(Instant::now() + LAST);
                    self.stop_attempts();
                }
            }
        }
        self.leave().await;
        Ok(())
    }

    fn obey(&mut self, stop: Stop, deadline: &mut Option<Instant>) {
        self.suspended = stop == Stop::Paused;
        match stop {
            Stop::Run | Stop::Paused => {}
            Stop::Graceful if !self.stopping => {
                let worker = &self.registration.label;
                match self.books.held {
                    0 => tracing::debug!(%worker, "stopping"),
                    tasks => tracing::info!(%worker, tasks, "stopping: these may go on within the grace"),
                }
                self.stopping = true;
                *deadline = Some(Instant::now() + self.settings.grace);
            }
            Stop::Now if deadline.is_none_or(|end| end > Instant::now() + LAST) => {
                self.stopping = true;
                *deadline = Some(Instant::now());
            }
            Stop::Graceful | Stop::Now => {}
        }
    }

    /// Starts the calls that are due.
    fn act(&mut self) {
        for lane in 0..self.lanes.len() {
            self.settle(lane);
        }
        self.count();
        let shared = self.lanes.len() > 1;
        let total: u32 = self.lanes.iter().map(|lane| lane.weight).sum::<u32>().max(1);
        let free = self.books.room();
        let mut order: Vec<usize> =
            (0..self.lanes.len()).filter(|lane| self.lanes[*lane].asked.is_none()).collect();
        // those that were asked least for their weight come first
        order.sort_by_key(|lane| self.lanes[*lane].number / u64::from(self.lanes[*lane].weight.max(1)));
        for lane in order {
            let room = self.books.room();
            if room == 0 {
                break;
            }
            let share = (u64::from(free) * u64::from(self.lanes[lane].weight)).div_ceil(u64::from(total));
            self.claim(lane, room.min(u32::try_from(share).unwrap_or(room)).max(1), shared);
            self.count();
        }
    }

    fn count(&mut self) {
        let held = self.board.held();
        self.books.held = u32::try_from(held.len()).unwrap_or(u32::MAX);
        self.books.suspect = held.values().any(|held| held.suspect);
        drop(held);
        self.books.asked = self.lanes.iter().filter_map(|lane| lane.asked).sum();
        let unsettled: usize = self.lanes.iter().map(|lane| lane.unsettled.len() + lane.settling.len()).sum();
        self.books.unsettled = u32::try_from(unsettled).unwrap_or(u32::MAX);
        self.books.resting = self.stopping || self.paused || self.suspended;
    }

    fn claim(&mut self, index: usize, tasks: u32, shared: bool) {
        let idle = self.books.holds_nothing() && (self.books.run_empty || !shared);
        let lane = &mut self.lanes[index];
        lane.number += 1;
        lane.asked = Some(tasks);
        let worker = self.board.incarnation();
        let mut claim = Claim::new(lane.name.clone(), worker, self.registration.clone(), lane.number);
        claim.max_tasks = tasks as usize;
        claim.wait = lane.wait.min(if shared { WAIT_SHARED } else { WAIT });
        claim.idle = idle;
        let queue = self.queue.clone();
        self.calls.spawn(async move {
            let started = Instant::now();
            let claimed = until_answered("claim", claim.wait, || queue.dequeue(claim.clone())).await;
            let nothing = claimed.as_ref().is_ok_and(|claimed| claimed.tasks.is_empty());
            if nothing && started.elapsed() < claim.wait {
                // a paused queue, or a worker asked to run empty, is answered at once: that must not become a busy loop
                sleep(Duration::from_millis(50).min(claim.wait)).await;
            }
            Answer::Claimed { lane: index, worker, claimed }
        });
    }

    fn settle(&mut self, index: usize) {
        let worker = self.board.incarnation();
        let lane = &mut self.lanes[index];
        if !lane.settling.is_empty() {
            return;
        }
        // what is given back goes to the front, where a claim of our own that still waits would take it again
        let claiming = lane.asked.is_some();
        let now = |end: &mut Settlement| !claiming || end.outcome != Outcome::Released;
        lane.settling = lane.unsettled.extract_if(.., now).take(Batch::MAX).collect();
        if lane.settling.is_empty() {
            return;
        }
        let request = SettleRequest::new(lane.name.clone(), lane.settling.clone());
        let queue = self.queue.clone();
        self.calls.spawn(async move {
            let settled = until_answered("settle", Duration::ZERO, || queue.settle(request.clone())).await;
            Answer::Settled { lane: index, worker, settled }
        });
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Claimed { lane, worker, claimed } => {
                if worker != self.board.incarnation() {
                    return; // of a closed one: what it brought is given to others
                }
                self.lanes[lane].asked = None;
                match claimed {
                    Ok(claimed) => self.received(lane, claimed),
                    Err(_) => self.closed(worker),
                }
            }
            Answer::Settled { lane, worker, settled } => {
                let settling = std::mem::take(&mut self.lanes[lane].settling);
                let answers = match settled {
                    Ok(reply) => reply.answers,
                    Err(_) => {
                        tracing::warn!(
                            ends = settling.len(),
                            "these ends were refused: others have the tasks"
                        );
                        return self.closed(worker);
                    }
                };
                self.heard = true;
                for (settlement, answer) in settling.iter().zip(answers) {
                    if answer == SettleAnswer::Stale {
                        let id = settlement.delivery.id();
                        tracing::warn!(%id, "the end of this attempt was refused: the task was given to others");
                    }
                }
            }
        }
    }

    fn received(&mut self, index: usize, claimed: Claimed) {
        self.heard = true;
        self.books.run_empty = claimed.run_empty;
        let lane = &mut self.lanes[index];
        lane.wait = claimed.next_wake.unwrap_or(WAIT).max(Duration::from_millis(1));
        lane.dry = if claimed.tasks.is_empty() { lane.dry + 1 } else { 0 };
        for delivery in claimed.tasks {
            if self.stopping {
                self.lanes[index].unsettled.push(Settlement::new(delivery, Outcome::Released));
                continue;
            }
            let key = (delivery.record.queue.clone(), delivery.id().clone(), delivery.token);
            let suspect = delivery.suspect;
            match attempt::prepare(delivery, &self.registry, &self.settings, &self.queue) {
                Ok(attempt) => {
                    let stop = CancellationToken::new();
                    let held = Held { ctx: attempt.ctx.clone(), stop: stop.clone(), suspect };
                    self.board.held().insert(key, held);
                    self.attempts.spawn(async move { (index, attempt.run(stop).await) });
                }
                Err(settlement) => self.lanes[index].unsettled.push(settlement),
            }
        }
    }

    fn ended(&mut self, lane: usize, settlement: Settlement) {
        let delivery = &settlement.delivery;
        self.board.held().remove(&(delivery.record.queue.clone(), delivery.id().clone(), delivery.token));
        self.lanes[lane].unsettled.push(settlement);
    }

    /// What it holds is given to others: it goes on under another incarnation.
    fn closed(&mut self, worker: Incarnation) {
        if worker != self.board.incarnation() {
            return;
        }
        // the next generation is closed too if the whole start was released
        let next = if self.heard { worker.next() } else { Incarnation::new() };
        self.heard = false;
        tracing::warn!(closed = %worker, %next, "this worker was closed; its tasks are dropped, and it goes on");
        self.board.go_on_as(next);
        for lane in &mut self.lanes {
            (lane.number, lane.asked) = (0, None);
        }
        self.stop_attempts();
    }

    fn stop_attempts(&self) {
        for held in self.board.held().values() {
            held.ctx.cancel();
            held.stop.cancel();
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Closed(worker) => self.closed(worker),
            Told::RunEmpty => self.books.run_empty = true,
            Told::Command(WorkerCommand::Pause) => self.paused = true,
            Told::Command(WorkerCommand::Resume) => self.paused = false,
            Told::Command(WorkerCommand::Concurrency(tasks)) => self.books.concurrency = tasks.max(1),
            Told::Command(command) => tracing::warn!(?command, "this release does not know the command"),
        }
    }

    /// Whether the queues hold nothing that could still run.
    async fn drained(&mut self) -> bool {
        self.count();
        if self.books.held + self.books.unsettled > 0 || self.lanes.iter().any(|lane| lane.dry == 0) {
            return false;
        }
        for lane in &self.lanes {
            let done = match self.queue.stats(&lane.name).await {
                // none but this worker is to come, so what nobody knows can't run
                Ok(stats) => stats.live() == stats.unknown_name,
                Err(QueueError::Unsupported { .. }) => lane.dry >= 2,
                Err(_) => false,
            };
            if !done {
                return false;
            }
        }
        true
    }

    /// Releases its incarnation where it holds nothing any more. What could not be stopped is released by its end.
    async fn leave(&mut self) {
        self.calls.abort_all();
        if self.books.held > 0 || self.books.unsettled > 0 {
            tracing::warn!(
                held = self.books.held,
                unsettled = self.books.unsettled,
                "stopped with work left; its lease will end"
            );
            return;
        }
        let worker = self.board.incarnation();
        for lane in &self.lanes {
            if let Ok(Err(error)) = timeout(LAST, self.queue.release(&lane.name, worker)).await {
                tracing::warn!(queue = %lane.name, error = %printable(&error.to_string()), "could not sign off; its lease will end");
            }
        }
    }
}

/// Sends a call again until it is answered; the only error left is that the incarnation is closed.
async fn until_answered<T, F>(
    what: &'static str,
    wait: Duration,
    mut call: impl FnMut() -> F,
) -> Result<T, QueueError>
where
    F: Future<Output = Result<T, QueueError>>,
{
    let mut outage = Outage::default();
    loop {
        let error = match timeout(wait + CALL, call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(closed @ QueueError::Closed(_))) => return Err(closed),
            Ok(Err(error)) => error,
            Err(_) => QueueError::answer_lost("no answer in time"),
        };
        if outage.is_to_be_told() {
            tracing::warn!(what, error = %printable(&error.to_string()), "the queue did not answer; sending again");
        }
        sleep(if error.is_transient() { Duration::from_millis(300) } else { Duration::from_secs(2) }).await;
    }
}

#[cfg(test)]
mod tests {
    use task_queue_memory::MemoryQueue;

    use super::*;

    #[tokio::test]
    async fn a_pause_by_command_and_one_by_signal_each_end_by_their_own_word() {
        // a paused worker went on at the next turn of its loop, since no signal said that it rests
        let queue = TaskQueue::new(MemoryQueue::new());
        let mut engine = Engine::new(queue, TaskRegistry::new(), Settings::default(), false);
        let mut rests = |signal, command: Option<WorkerCommand>| {
            if let Some(command) = command {
                engine.told(Told::Command(command));
            }
            engine.obey(signal, &mut None);
            engine.count();
            engine.books.room() == 0
        };
        assert!(!rests(Stop::Run, None));
        assert!(rests(Stop::Run, Some(WorkerCommand::Pause)));
        assert!(rests(Stop::Paused, None));
        assert!(rests(Stop::Run, None), "CONT does not undo the command");
        assert!(!rests(Stop::Run, Some(WorkerCommand::Resume)));
        assert!(rests(Stop::Paused, None));
    }
}
