//! The worker's loop: it claims, starts attempts, settles their ends, and stops.
//!
//! State lives in [`Engine`], which only the loop changes. What may be claimed is decided in [`books`] and [`share`],
//! without any effect; attempts run on the [`bench`], calls on the queue in [`call`], and the heartbeat on a thread of its
//! own. Each of them tells the loop, and the loop acts anew after whatever it was told.
//!
//! - A task that was received is in `board.held` until its attempt has ended, and then in its lane until it is settled:
//!   so a slot can't leak, and nothing is given back that still runs.
//! - One claim a lane is under way at most. It is never dropped: a claim that is to wait no longer is recalled, which
//!   asks for what it brought by its number.
//! - A closed incarnation's tasks are others' now. It is known by the token, so whatever comes late of it is dropped.

mod bench;
mod books;
mod call;
mod lane;
mod share;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use task_core::{
    Claimed, Incarnation, Name, Outcome, Registration, SettleAnswer, SettleReply, SettleRequest, Settlement,
    TaskQueue, WorkerCommand,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::call::Caller;
use self::{
    bench::{Bench, Ended},
    books::Books,
    call::{Answer, Left},
    lane::Lane,
    share::{Ask, Wait},
};
use crate::{
    Drained, TaskRegistry, attempt,
    heartbeat::{Board, Held, Pulse, Told},
    outage::Outage,
    settings::{Settings, WorkerError},
    status::{State, Status},
    stop::Stop,
};

/// How long a worker that stops waits for its last answers.
const LAST: Duration = Duration::from_secs(3);
/// What waits here for a slot is given back when none was freed for so long.
const STUCK: Duration = Duration::from_secs(1);
/// How often a drain says what it waits for.
const SAY: Duration = Duration::from_secs(5);

pub(crate) struct Engine {
    caller: Caller,
    registry: Arc<TaskRegistry>,
    settings: Arc<Settings>,
    registration: Arc<Registration>,
    board: Arc<Board>,
    lanes: Vec<Lane>,
    calls: JoinSet<Answer>,
    bench: Bench,
    books: Books,
    /// What attempts took lately.
    mean: Option<Duration>,
    turn: u64,
    stopping: bool,
    /// What was stopped by force is waited for no longer than to the deadline.
    last: bool,
    deadline: Option<Instant>,
    /// By a command.
    paused: bool,
    /// By a signal.
    suspended: bool,
    /// A call was answered since this incarnation began.
    heard: bool,
    drain: Option<Drain>,
    drained: Drained,
}

/// A worker that ends when there is nothing left.
#[derive(Default)]
struct Drain {
    counting: bool,
    said: Option<Instant>,
}

impl Engine {
    pub(crate) fn new(queue: TaskQueue, registry: TaskRegistry, settings: Settings, drain: bool) -> Self {
        let mut registration = Registration::new(settings.label.clone(), registry.names().cloned());
        registration.lease = settings.lease;
        registration.concurrency = settings.slots;
        registration.host =
            nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        Self {
            caller: Caller { queue, outage: Outage::default() },
            registry: registry.into(),
            registration: registration.into(),
            board: Arc::new(Board::new(settings.incarnation)),
            lanes: settings.queues.iter().map(|(name, weight)| Lane::new(name.clone(), *weight)).collect(),
            calls: JoinSet::new(),
            bench: Bench::default(),
            books: Books { concurrency: settings.slots, ..Books::default() },
            settings: settings.into(),
            mean: None,
            turn: 0,
            stopping: false,
            last: false,
            deadline: None,
            paused: false,
            suspended: false,
            heard: true,
            drain: drain.then(Drain::default),
            drained: Drained { cut_short: drain, ..Drained::default() },
        }
    }

    /// Until it was told to stop and has, or has drained its queues. Its status goes to `status`.
    pub(crate) async fn run(
        mut self,
        mut stop: watch::Receiver<Stop>,
        status: watch::Sender<Status>,
    ) -> Result<Drained, WorkerError> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let end = CancellationToken::new();
        let _ends_with_this = end.clone().drop_guard();
        self.pulse(tell, end).start()?;
        let mut outage = self.caller.outage.watch();
        loop {
            self.obey(*stop.borrow_and_update());
            self.act();
            status.send_if_modified(|status| status.set(self.state()));
            if self.stopping && self.calls.is_empty() && self.books.holds_nothing() {
                break;
            }
            let stuck = self.bench.queues_for_slots(self.books.concurrency).then(|| Instant::now() + STUCK);
            // each branch can be lost without harm: joins, receives and the watch keep what was not taken
            tokio::select! {
                Some(ended) = self.bench.next() => self.ended(ended),
                // a call can't panic: what it calls is caught
                Some(Ok(answer)) = self.calls.join_next() => self.answered(answer),
                Some(told) = told.recv() => self.told(told, &status),
                Ok(()) = stop.changed() => {}
                Ok(()) = outage.changed() => {}
                () = at(stuck) => self.give_back_waiting(),
                () = at(self.deadline) => {
                    if self.last || self.books.held == 0 {
                        break;
                    }
                    self.last = true;
                    self.deadline = Some(Instant::now() + LAST);
                    self.board.stop_attempts();
                }
            }
        }
        self.leave().await;
        Ok(self.drained)
    }

    fn pulse(&self, tell: mpsc::UnboundedSender<Told>, end: CancellationToken) -> Pulse {
        Pulse {
            queue: self.caller.queue.clone(),
            names: self.lanes.iter().map(|lane| lane.name.clone()).collect(),
            registration: self.registration.clone(),
            board: self.board.clone(),
            interval: self.settings.heartbeat,
            outage: self.caller.outage.clone(),
            tell,
            end,
        }
    }

    fn obey(&mut self, stop: Stop) {
        self.suspended = stop == Stop::Paused;
        match stop {
            Stop::Run | Stop::Paused => {}
            Stop::Graceful if !self.stopping => {
                let worker = &self.registration.label;
                match self.books.held {
                    0 => tracing::debug!(%worker, "stopping"),
                    tasks => tracing::info!(%worker, tasks, "stopping: these may go on within the grace"),
                }
                self.stop(Instant::now() + self.settings.grace);
            }
            Stop::Now if !self.last && self.deadline.is_none_or(|end| end > Instant::now()) => {
                self.stop(Instant::now());
            }
            Stop::Graceful | Stop::Now => {}
        }
    }

    fn stop(&mut self, deadline: Instant) {
        self.stopping = true;
        self.deadline = Some(deadline);
        self.give_back_waiting();
    }

    /// Starts the attempts and the calls that are due.
    fn act(&mut self) {
        self.bench.start(self.books.concurrency, self.settings.cores);
        self.count();
        let asks = self.asks();
        for index in 0..self.lanes.len() {
            let ask = asks.iter().find(|ask| ask.lane == index).copied();
            let settlements = self.lanes[index].take_unsettled();
            match (settlements.is_empty(), ask) {
                (true, None) => {}
                (true, Some(ask)) => self.claim(ask),
                (false, ask) => self.settle(index, settlements, ask),
            }
        }
        self.count();
        self.recall();
        if self.stopping && self.books.held + self.books.unsettled == 0 {
            // only claims are to be answered: a queue that is away is not waited for as long as a task would be
            let end = Instant::now() + LAST;
            self.deadline = Some(self.deadline.map_or(end, |deadline| deadline.min(end)));
        }
    }

    fn count(&mut self) {
        let held = self.board.held();
        self.books.held = u32::try_from(held.len()).unwrap_or(u32::MAX);
        self.books.suspect = held.values().any(|held| held.suspect);
        drop(held);
        self.books.asked =
            self.lanes.iter().filter_map(|lane| lane.claim.as_ref()).map(|claim| claim.tasks).sum();
        let unsettled: usize = self.lanes.iter().map(Lane::owed).sum();
        self.books.unsettled = u32::try_from(unsettled).unwrap_or(u32::MAX);
        self.books.resting = self.stopping || self.paused || self.suspended;
        self.books.run_empty = self.lanes.iter().any(|lane| lane.run_empty);
        self.books.buffer = books::buffer(self.mean, self.bench.youngest(), self.books.concurrency);
    }

    fn asks(&self) -> Vec<Ask> {
        let room = self.books.room();
        if self.books.run_empty {
            let lane = self.lanes.iter().position(|lane| lane.run_empty && lane.claim.is_none());
            return lane
                .filter(|_| room > 0)
                .map(|lane| Ask { lane, tasks: 1, wait: Wait::Long })
                .into_iter()
                .collect();
        }
        let views: Vec<_> = self.lanes.iter().map(Lane::view).collect();
        share::share(room, &views)
    }

    fn claim(&mut self, ask: Ask) {
        let (claim, recall) = self.next_claim(ask, 0);
        self.calls.spawn(self.caller.clone().claim(ask.lane, claim, recall));
    }

    fn settle(&mut self, lane: usize, settlements: Vec<Settlement>, ask: Option<Ask>) {
        let worker = self.board.incarnation();
        let ends = settlements.len();
        let mut request = SettleRequest::new(self.lanes[lane].name.clone(), settlements);
        if let Some(ask) = ask {
            let (claim, _) = self.next_claim(Ask { wait: Wait::No, ..ask }, ends);
            request = request.then(claim);
        }
        self.calls.spawn(self.caller.clone().settle(lane, worker, request));
    }

    /// A claim that is carried out after so many ends were settled.
    fn next_claim(&mut self, ask: Ask, ends: usize) -> (task_core::Claim, CancellationToken) {
        self.turn += 1;
        let owed = self.books.unsettled as usize - ends;
        let idle = self.books.held + self.books.asked == 0 && owed == 0;
        let lane = &mut self.lanes[ask.lane];
        lane.standing.asked(self.turn);
        let (mut claim, recall) =
            lane.claim(ask, self.board.incarnation(), &self.registration, self.drain.is_some());
        // where several queues are claimed on at once, only one of them may bring a suspect
        claim.idle = idle && (self.books.run_empty || self.lanes.len() == 1);
        (claim, recall)
    }

    /// Ends the waits of claims that are not wanted any more, or hold slots that a queue needs which has none.
    fn recall(&self) {
        let unasked = self.lanes.iter().any(|lane| lane.claim.is_none());
        let short = unasked && self.books.room() == 0 && !self.books.run_empty;
        for lane in &self.lanes {
            let long = lane.claim.as_ref().is_some_and(|claim| claim.wait == Wait::Long);
            if self.books.resting || (short && long) {
                lane.recall();
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Claimed { lane, worker, claimed } => {
                if worker != self.board.incarnation() {
                    return; // of a closed one: what it brought is given to others
                }
                match claimed {
                    Ok(claimed) => self.received(lane, claimed),
                    Err(_) => self.closed(worker),
                }
            }
            Answer::Settled { lane, worker, settled } => {
                let settling = std::mem::take(&mut self.lanes[lane].settling);
                let current = worker == self.board.incarnation();
                match settled {
                    Ok(SettleReply { answers, claimed, .. }) => {
                        self.settled(&settling, &answers);
                        match claimed {
                            Some(Ok(claimed)) if current => self.received(lane, claimed),
                            Some(Err(_)) => self.closed(worker),
                            Some(Ok(_)) | None => {}
                        }
                    }
                    Err(_) => self.closed(worker),
                }
            }
            Answer::Counted(left) => self.counted(left),
        }
    }

    fn settled(&mut self, settlements: &[Settlement], answers: &[SettleAnswer]) {
        self.heard = true;
        for (settlement, answer) in settlements.iter().zip(answers) {
            match answer {
                SettleAnswer::Done | SettleAnswer::AlreadyDone => self.drained.count(&settlement.outcome),
                SettleAnswer::Stale => {
                    let id = settlement.delivery.id();
                    tracing::warn!(%id, "the end of this attempt was refused: the task was given to others");
                }
            }
        }
    }

    fn received(&mut self, index: usize, claimed: Claimed) {
        self.heard = true;
        self.set_run_empty(index, claimed.run_empty);
        let brought = claimed.tasks.len();
        self.lanes[index].answered(brought, claimed.next_wake.is_some());
        let mut standings: Vec<_> = self.lanes.iter_mut().map(|lane| &mut lane.standing).collect();
        share::received(&mut standings, index, brought, claimed.more && brought > 0);
        for delivery in claimed.tasks {
            if self.stopping {
                self.lanes[index].unsettled.push(Settlement::new(delivery, Outcome::Released));
                continue;
            }
            let key = (delivery.record.queue.clone(), delivery.id().clone(), delivery.token);
            let suspect = delivery.suspect;
            match attempt::prepare(delivery, &self.registry, &self.settings, &self.caller) {
                Ok(attempt) => {
                    let stop = CancellationToken::new();
                    let held = Held { ctx: attempt.ctx.clone(), stop: stop.clone(), suspect };
                    self.board.held().insert(key, held);
                    self.bench.push(index, attempt, stop);
                }
                Err(settlement) => self.lanes[index].unsettled.push(settlement),
            }
        }
        self.look_whether_drained();
    }

    fn ended(&mut self, ended: Ended) {
        let Ended { lane, settlement, ran } = ended;
        let delivery = &settlement.delivery;
        self.board.held().remove(&(delivery.record.queue.clone(), delivery.id().clone(), delivery.token));
        if let Some(ran) = ran {
            self.mean = Some(books::mean(self.mean, ran));
            self.settings.observer.tell(delivery, ran, &settlement.outcome);
        }
        if delivery.token.worker == self.board.incarnation() {
            self.lanes[lane].unsettled.push(settlement);
        } else {
            tracing::debug!(id = %delivery.id(), "an attempt ended that was given to others");
        }
    }

    fn give_back_waiting(&mut self) {
        for ended in self.bench.take_waiting() {
            self.ended(ended);
        }
    }

    fn set_run_empty(&mut self, lane: usize, run_empty: bool) {
        if run_empty && !self.lanes[lane].run_empty {
            self.lanes.iter().for_each(Lane::recall);
        }
        self.lanes[lane].run_empty = run_empty;
    }

    /// What it holds is given to others: it goes on under another incarnation.
    fn closed(&mut self, worker: Incarnation) {
        if worker != self.board.incarnation() {
            return;
        }
        // the next generation is closed too if the whole start was released
        let next = if self.heard { worker.next() } else { Incarnation::new() };
        self.heard = false;
        let dropped: usize = self.lanes.iter_mut().map(Lane::start_afresh).sum();
        tracing::warn!(closed = %worker, %next, held = self.books.held, unsettled = dropped,
            "this worker was closed: its tasks are given to others and dropped here; it goes on");
        self.board.go_on_as(next);
        self.give_back_waiting();
        self.board.stop_attempts();
    }

    fn told(&mut self, told: Told, status: &watch::Sender<Status>) {
        match told {
            Told::Answered => {
                status.send_if_modified(Status::set_ready);
            }
            Told::Closed(worker) => self.closed(worker),
            Told::RunEmpty(queue, run_empty) => {
                if let Some(lane) = self.lanes.iter().position(|lane| lane.name == queue) {
                    self.set_run_empty(lane, run_empty);
                }
            }
            Told::Cancelled => {
                for ended in self.bench.take_cancelled() {
                    self.ended(ended);
                }
            }
            Told::Command(WorkerCommand::Pause) => self.paused = true,
            Told::Command(WorkerCommand::Resume) => self.paused = false,
            Told::Command(WorkerCommand::Concurrency(tasks)) => self.books.concurrency = tasks.max(1),
            Told::Command(command) => tracing::warn!(?command, "this release does not know the command"),
        }
    }

    fn state(&self) -> State {
        match () {
            () if self.stopping => State::Stopping,
            () if self.caller.outage.is_on() => State::Away,
            () if self.paused || self.suspended => State::Paused,
            () => State::Working,
        }
    }

    /// Asks, in a drain, whether there is anything left, once nothing is held and the last claims found nothing.
    fn look_whether_drained(&mut self) {
        self.count();
        let idle = self.books.held + self.books.unsettled == 0 && self.lanes.iter().all(|lane| lane.dry > 0);
        let Some(drain) = self.drain.as_mut().filter(|drain| idle && !drain.counting) else { return };
        drain.counting = true;
        let quiet = self.lanes.iter().all(|lane| lane.dry > 1 && !lane.due_later);
        let queues: Vec<Name> = self.lanes.iter().map(|lane| lane.name.clone()).collect();
        self.calls.spawn(self.caller.clone().count(queues, quiet));
    }

    fn counted(&mut self, left: Left) {
        let Some(drain) = &mut self.drain else { return };
        drain.counting = false;
        match left {
            Left::Nothing if !self.stopping => {
                self.drained.cut_short = false;
                self.stop(Instant::now() + self.settings.grace);
            }
            Left::Tasks(tasks) if drain.said.is_none_or(|said| said.elapsed() >= SAY) => {
                drain.said = Some(Instant::now());
                tracing::info!(
                    tasks,
                    "the drain waits for tasks that are delayed, paused, or with other workers"
                );
            }
            Left::Nothing | Left::Tasks(_) | Left::Unknown => {}
        }
    }

    /// Releases its incarnation where it holds nothing any more. What could not be stopped is released by its end.
    async fn leave(&mut self) {
        self.calls.abort_all();
        if self.books.held > 0 || self.books.unsettled > 0 {
            let (held, unsettled) = (self.books.held, self.books.unsettled);
            tracing::warn!(held, unsettled, "stopped with work left; its lease will end");
            return;
        }
        let worker = self.board.incarnation();
        let release = self.lanes.iter().map(|lane| self.caller.release(&lane.name, worker, LAST));
        join_all(release).await;
    }
}

/// At this time; never, if there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
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
        let registry = TaskRegistry::new();
        let settings = Settings::default().resolved(&registry).unwrap();
        let mut engine = Engine::new(queue, registry, settings, false);
        let status = watch::Sender::new(Status::default());
        let mut rests = |signal, command: Option<WorkerCommand>| {
            if let Some(command) = command {
                engine.told(Told::Command(command), &status);
            }
            engine.obey(signal);
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
