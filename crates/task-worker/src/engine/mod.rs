//! The worker's loop: it claims, starts attempts, settles their ends, and stops.
//!
//! State lives in [`Engine`], which only the loop changes: it hears [`news`], and [acts](act) anew after each, until its
//! [`end`]. What may be claimed is decided in [`books`] and [`share`], without any effect; attempts run on the [`bench`],
//! calls on the queue in [`call`], and the heartbeat on a thread of its own. Each of these is where news comes from.
//!
//! - A task that was received is in `board.held` until its attempt has ended, and then in its lane until it is settled:
//!   so a slot can't leak, and nothing is given back that still runs.
//! - One claim a lane is under way, or some over a distance. None is ever dropped: a claim that is to wait no longer is
//!   recalled, which asks for what it brought by its number.
//! - A closed incarnation's tasks are others' now. It is known by the token, so whatever comes late of it is dropped.

mod act;
mod bench;
mod books;
mod call;
mod end;
mod lane;
mod news;
mod share;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use task_core::{Name, QueueError, Registration, TaskQueue};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::call::Caller;
use self::{bench::Bench, books::Books, call::Answer, end::Drain, lane::Lane};
use crate::{
    Drained, TaskRegistry,
    attempt::Common,
    board::Board,
    heartbeat::{Pulse, Told},
    outage::Outage,
    settings::{Settings, Slots, WorkerError},
    status::{State, Status},
    stop::Stop,
};

/// How long a worker that stops waits for its last answers.
const LAST: Duration = Duration::from_secs(3);
/// What waits here for a slot is given back when none was freed for so long.
const STUCK: Duration = Duration::from_secs(1);

pub(crate) struct Engine {
    common: Arc<Common>,
    registration: Arc<Registration>,
    board: Arc<Board>,
    lanes: Vec<Lane>,
    calls: JoinSet<Answer>,
    bench: Bench,
    /// How many attempts came so far: the last one's number on the board.
    received: u64,
    /// How many of those that it holds are suspects.
    suspects: u32,
    /// Messages that it can't read, kept for a moment.
    put_off: u32,
    /// Their names, which are names of the registry.
    unreadable: BTreeSet<Name>,
    books: Books,
    slots: Slots,
    /// What attempts took lately.
    mean: Option<Duration>,
    /// How long calls are on their way.
    way: Option<Duration>,
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
    /// The queue refuses for good to tell whether it is drained.
    refused: Option<QueueError>,
    drained: Drained,
}

impl Engine {
    pub(crate) fn new(queue: TaskQueue, registry: TaskRegistry, settings: Settings, drain: bool) -> Self {
        let mut registration = Registration::new(settings.label.clone(), registry.names().cloned());
        registration.lease = settings.lease;
        registration.concurrency = settings.slots.all;
        registration.host =
            nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        let caller = Caller { queue, outage: Outage::of(&settings.label) };
        Self {
            registration: registration.into(),
            board: Arc::new(Board::new(settings.incarnation, settings.slots.all)),
            lanes: settings.queues.iter().map(|(name, weight)| Lane::new(name.clone(), *weight)).collect(),
            calls: JoinSet::new(),
            bench: Bench::new(settings.slots),
            received: 0,
            suspects: 0,
            put_off: 0,
            unreadable: BTreeSet::new(),
            books: Books { concurrency: settings.slots.all, ..Books::default() },
            slots: settings.slots,
            common: Arc::new(Common { registry, settings, caller }),
            mean: None,
            way: None,
            turn: 0,
            stopping: false,
            last: false,
            deadline: None,
            paused: false,
            suspended: false,
            heard: true,
            drain: drain.then(Drain::default),
            refused: None,
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
        self.pulse(tell, end).start(self.common.settings.heartbeat_here)?;
        let mut outage = self.common.caller.outage.watch();
        loop {
            self.obey(*stop.borrow_and_update());
            self.act();
            status.send_if_modified(|status| status.set(self.state()));
            if self.stopping && self.calls.is_empty() && self.books.holds_nothing() {
                break;
            }
            let stuck = self.bench.stuck_at(STUCK);
            // each branch can be lost without harm: joins, receives and the watch keep what was not taken
            tokio::select! {
                // those that ended at the same time travel together
                ended = self.bench.ended() => self.ended(ended),
                // a call can't panic: what it calls is caught
                Some(Ok(answer)) = self.calls.join_next() => self.answered(answer),
                Some(told) = told.recv() => self.told(told, &status),
                Ok(()) = stop.changed() => {}
                Ok(()) = outage.changed() => {}
                () = at(stuck) => {
                    // a slot may have come free at this very moment
                    if self.bench.stuck_at(STUCK).is_some_and(|at| at <= Instant::now()) {
                        self.give_back_waiting();
                    }
                }
                () = at(self.deadline) => {
                    if self.last {
                        break;
                    }
                    self.last = true;
                    self.deadline = Some(Instant::now() + LAST);
                    self.board.stop_attempts();
                }
            }
        }
        self.leave().await;
        match self.refused {
            Some(error) => Err(WorkerError::Refused(error)),
            None => Ok(self.drained),
        }
    }

    fn pulse(&self, tell: mpsc::UnboundedSender<Told>, end: CancellationToken) -> Pulse {
        Pulse {
            queue: self.common.caller.queue.clone(),
            names: self.lanes.iter().map(|lane| lane.name.clone()).collect(),
            registration: self.registration.clone(),
            board: self.board.clone(),
            interval: self.common.settings.heartbeat,
            outage: self.common.caller.outage.clone(),
            tell,
            end,
        }
    }

    fn state(&self) -> State {
        match () {
            () if self.stopping => State::Stopping,
            () if self.common.caller.outage.is_on() => State::Away,
            () if self.paused || self.suspended => State::Paused,
            () => State::Working,
        }
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
    use task_core::{
        Delivery, Outcome, ResultMessage, Settlement, TaskId, TaskMessage, TaskOptions, Timestamp, Token,
        WorkerCommand,
    };
    use task_queue_memory::MemoryQueue;

    use super::*;

    /// Of a worker that works on these queues.
    fn engine(names: impl IntoIterator<Item = Name>) -> Engine {
        let (queue, registry) = (TaskQueue::new(MemoryQueue::new()), TaskRegistry::new());
        let queues = names.into_iter().map(|name| (name, 1)).collect();
        let settings = Settings { queues, ..Settings::default() }.resolved(&registry).unwrap();
        Engine::new(queue, registry, settings, false)
    }

    #[tokio::test]
    async fn while_a_claim_may_bring_a_suspect_no_other_queue_is_claimed_on() {
        // a beat said that no suspect waited any more, before the claim was answered that had taken it: the other queue's
        // task ran beside it
        let names: [Name; 2] = ["tasks".parse().unwrap(), "mail".parse().unwrap()];
        let mut engine = engine(names.clone());
        let status = watch::Sender::new(Status::default());
        engine.told(Told::RunEmpty(names[0].clone(), true), &status);
        engine.act();
        engine.told(Told::RunEmpty(names[0].clone(), false), &status);
        engine.act();
        let claims: Vec<_> = engine.lanes.iter().map(|lane| lane.claims.first()).collect();
        let [Some(idle), None] = claims[..] else {
            panic!("a claim on the first queue, and none on the other")
        };
        assert!(idle.idle && idle.recall.is_cancelled(), "the other queue waits for no longer than it must");
        let answer = engine.calls.join_next().await.unwrap().unwrap();
        engine.answered(answer);
        engine.act();
        assert!(engine.lanes.iter().all(|lane| lane.claims.first().is_some_and(|claim| !claim.idle)));
    }

    #[tokio::test]
    async fn while_the_first_ends_of_a_queue_are_not_taken_the_others_are_claimed_on() {
        // by the first call with ends the way is known, and nothing travels beside it; a queue that took none of them kept
        // all others from being claimed on
        for paused in [false, true] {
            let mut engine = engine(["tasks", "mail"].map(|name| name.parse().unwrap()));
            let message =
                TaskMessage::new(TaskId::new(), "work", vec![0xc0], TaskOptions::default()).unwrap();
            let record = ResultMessage::pending(&message, Timestamp::default());
            let token = Token::new(engine.board.incarnation(), 1);
            let delivery = Arc::new(Delivery::new(token, &message.to_record().into(), record));
            let end = || Settlement::new(delivery.clone(), Outcome::Released);
            engine.lanes[0].unsettled.extend([end(), end()]);
            engine.paused = paused; // then it settles, and claims nothing yet
            engine.act();
            assert_eq!(engine.lanes[0].unsettled.len(), 1, "one end leaves alone");
            engine.paused = false;
            engine.act();
            let claims: Vec<usize> = engine.lanes.iter().map(|lane| lane.claims.len()).collect();
            assert_eq!(claims, [0, 1]);
            let answer = engine.calls.join_next().await.unwrap().unwrap();
            engine.answered(answer);
            engine.act();
            assert!(engine.way.is_some() && engine.lanes[0].claims.len() == 1);
        }
    }

    #[tokio::test]
    async fn a_pause_by_command_and_one_by_signal_each_end_by_their_own_word() {
        // a paused worker went on at the next turn of its loop, since no signal said that it rests
        let mut engine = engine([Name::DEFAULT_QUEUE]);
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
