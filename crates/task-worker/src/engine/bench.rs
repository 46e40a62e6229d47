//! The attempts of a worker: those that wait here for a free slot or core, those that run, and those that have ended.
//!
//! They are run by *runners*, tasks of the runtime that take what they run themselves, so that nobody has to be woken
//! between two attempts. Of a [quick](crate::pace) kind one runner takes one after the other; any other attempt has a
//! runner of its own, started by somebody who then leaves the thread: what the last attempt on a thread starts may not
//! be moved to another thread before that attempt waits or ends.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use task_core::{Outcome, Settlement};
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::{JoinSet, yield_now},
    time::Instant,
};

use crate::{attempt::Attempt, outcome::Ended as How, pace::Pace, panic::caught_future, settings::Slots};

/// So long a runner goes on before it lets others use its thread, among them the loop that settles what has ended.
const TURN: Duration = Duration::from_micros(200);

/// So many that have ended are news in any case.
const MANY: usize = 256;

pub(super) struct Bench(Arc<Shared>);

struct Shared {
    attempts: Mutex<Attempts>,
    /// Something has ended.
    news: Notify,
}

struct Attempts {
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
    ended: Vec<Ended>,
    /// So many of these are news.
    told_at: usize,
    slots: Slots,
    running: u32,
    /// How many of these block a thread.
    blocking: u32,
    /// When the last one was started.
    started: Option<Instant>,
    runners: JoinSet<()>,
    /// How many runners are about to take an attempt.
    taking: usize,
}

struct Waiting {
    came: Instant,
    lane: usize,
    held: u64,
    attempt: Attempt,
}

/// An attempt that a runner runs.
struct Taken {
    lane: usize,
    held: u64,
    attempt: Attempt,
    quick: bool,
    began: Instant,
}

/// An attempt that is over.
pub(super) struct Ended {
    pub(super) lane: usize,
    /// Its number on the board.
    pub(super) held: u64,
    pub(super) settlement: Settlement,
    /// How long it ran, from its first poll, if it did: the time that it waited for a thread is not its own.
    pub(super) ran: Option<Duration>,
}

impl Bench {
    pub(super) fn new(slots: Slots) -> Self {
        let attempts = Attempts {
            waiting: VecDeque::new(),
            ended: Vec::new(),
            told_at: 1,
            slots,
            running: 0,
            blocking: 0,
            started: None,
            runners: JoinSet::new(),
            taking: 0,
        };
        Self(Arc::new(Shared { attempts: Mutex::new(attempts), news: Notify::new() }))
    }

    /// Attempts that wait for their start, with their numbers on the board.
    pub(super) fn push(&self, lane: usize, attempts: impl IntoIterator<Item = (u64, Attempt)>) {
        let came = Instant::now();
        let waiting = attempts.into_iter().map(|(held, attempt)| Waiting { came, lane, held, attempt });
        self.0.lock().waiting.extend(waiting);
    }

    /// Starts what may, now and as slots come free.
    pub(super) fn start(&self, slots: Slots) {
        let mut attempts = self.0.lock();
        attempts.slots = slots;
        self.0.go_on(&mut attempts);
    }

    /// So many attempts have to end until that is news, which wakes whoever waits for it: no more than [`MANY`], nor than
    /// there are slots, which are free from then on.
    pub(super) fn tell_at(&self, ended: usize) {
        let mut attempts = self.0.lock();
        attempts.told_at = ended.min(MANY).min(attempts.slots.all as usize).max(1);
    }

    /// What has ended since this was asked last, as soon as that is news.
    ///
    /// # Cancel safety
    /// Safe: what has ended is kept until it is taken.
    pub(super) async fn ended(&self) -> Vec<Ended> {
        loop {
            let news = self.0.news.notified();
            let ended = self.0.lock().take_ended();
            if !ended.is_empty() {
                return ended;
            }
            news.await;
        }
    }

    /// Takes out what waits and was cancelled meanwhile.
    pub(super) fn take_cancelled(&self) -> Vec<Ended> {
        let mut attempts = self.0.lock();
        let (taken, kept): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut attempts.waiting)
            .into_iter()
            .partition(|waiting| waiting.attempt.ctx.is_cancelled());
        attempts.waiting = kept;
        drop(attempts);
        let outcome = || Outcome::Cancelled { reason: "cancelled before it ran".into() };
        taken.into_iter().map(|waiting| waiting.ended(outcome())).collect()
    }

    /// Takes out all that waits, to be given back.
    pub(super) fn take_waiting(&self) -> Vec<Ended> {
        let waiting = std::mem::take(&mut self.0.lock().waiting);
        waiting.into_iter().map(|waiting| waiting.ended(Outcome::Released)).collect()
    }

    /// When those that wait will have waited for so long without that a slot was freed, whatever else happens; while
    /// there are free ones, when to look again.
    pub(super) fn stuck_at(&self, patience: Duration) -> Option<Instant> {
        let attempts = self.0.lock();
        let first = attempts.waiting.front()?;
        let since = if attempts.running < attempts.slots.all { None } else { attempts.started };
        Some(since.map_or_else(Instant::now, |started| started.max(first.came)) + patience)
    }

    /// How long ago the last attempt was started, while some run.
    pub(super) fn youngest(&self) -> Option<Duration> {
        let attempts = self.0.lock();
        attempts.started.filter(|_| attempts.running > 0).map(|started| started.elapsed())
    }
}

impl Drop for Bench {
    /// What runs is dropped with its worker, and nothing else starts: a runner that is at work just now may still look.
    fn drop(&mut self) {
        let mut attempts = self.0.lock();
        let left = (std::mem::take(&mut attempts.runners), std::mem::take(&mut attempts.waiting));
        drop(attempts);
        drop(left);
    }
}

impl Waiting {
    fn is_quick(&self) -> bool {
        self.attempt.registered().pace.is_quick()
    }

    fn ended(self, outcome: Outcome) -> Ended {
        let settlement = Settlement::new(self.attempt.ctx.delivery().clone(), outcome);
        Ended { lane: self.lane, held: self.held, settlement, ran: None }
    }
}

/// How a runner has polled an attempt.
struct Polls {
    /// Whether the runner is about to take the next one, too.
    takes: bool,
    first: bool,
    /// When the poll ended that was the attempt's last.
    last: Instant,
}

impl Polls {
    /// The attempt was polled, and is over if it is `ready`. When it was taken its thread had `used` so much.
    fn note(&mut self, shared: &Arc<Shared>, taken: &Taken, used: Duration, ready: bool) {
        if ready {
            self.last = Instant::now();
        }
        if !std::mem::take(&mut self.first) {
            return;
        }
        let pace = &taken.attempt.registered().pace;
        if !ready {
            if std::mem::take(&mut self.takes) {
                shared.pass_on();
            }
            return pace.waited();
        }
        let mut busy = self.last - taken.began;
        if busy > Pace::QUICK {
            // the thread may have stood still meanwhile: that is not the task's doing
            busy = busy.min(thread_time().saturating_sub(used));
        }
        pace.ended_at_once(busy);
    }
}

impl Taken {
    fn ended(self, outcome: Outcome, now: Instant) -> Ended {
        let settlement = Settlement::new(self.attempt.ctx.delivery().clone(), outcome);
        Ended { lane: self.lane, held: self.held, settlement, ran: Some(now - self.began) }
    }
}

impl Attempts {
    fn take_ended(&mut self) -> Vec<Ended> {
        while self.runners.try_join_next().is_some() {}
        std::mem::take(&mut self.ended)
    }

    /// The place in `waiting` of the next that may start.
    fn next(&self) -> Option<usize> {
        if self.running >= self.slots.all {
            return None;
        }
        let blocked = self.blocking >= self.slots.blocking;
        self.waiting.iter().position(|waiting| !(blocked && waiting.attempt.blocking()))
    }

    /// How many runners should be about to take an attempt.
    fn wanted(&self) -> usize {
        match self.next() {
            None => 0,
            Some(next) if self.waiting[next].is_quick() => 1,
            Some(_) => {
                let mut cores = self.slots.blocking.saturating_sub(self.blocking);
                let may_start = |waiting: &&Waiting| {
                    let starts = !waiting.attempt.blocking() || cores > 0;
                    cores = cores.saturating_sub(u32::from(waiting.attempt.blocking()));
                    starts
                };
                let free = self.slots.all.saturating_sub(self.running) as usize;
                self.waiting.iter().filter(may_start).take(free).count()
            }
        }
    }

    /// Takes the next attempt for a runner that is about to; another than a quick one only if the runner has `fresh`ly
    /// come to its thread. Who takes a quick one is about to take the next, too.
    fn take(&mut self, fresh: bool) -> Option<Taken> {
        let next = self.next().map(|next| (next, self.waiting[next].is_quick()));
        let Some((next, quick)) = next.filter(|(_, quick)| fresh || *quick) else {
            self.taking -= 1;
            return None;
        };
        let Waiting { lane, held, attempt, .. } = self.waiting.remove(next)?;
        self.taking -= usize::from(!quick);
        self.running += 1;
        self.blocking += u32::from(attempt.blocking());
        let began = Instant::now();
        self.started = Some(began);
        Some(Taken { lane, held, attempt, quick, began })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that runners take what may start.
    fn go_on(self: &Arc<Self>, attempts: &mut Attempts) {
        while attempts.taking < attempts.wanted() {
            attempts.taking += 1;
            attempts.runners.spawn(self.clone().run());
        }
    }

    /// What a runner takes next; if it is not for this one, another is started.
    fn take(self: &Arc<Self>, fresh: bool) -> Option<Taken> {
        let mut attempts = self.lock();
        let taken = attempts.take(fresh);
        if taken.is_none() {
            self.go_on(&mut attempts);
        }
        taken
    }

    /// The runner of a quick kind waits with an attempt: another takes those that follow.
    fn pass_on(self: &Arc<Self>) {
        let mut attempts = self.lock();
        attempts.taking -= 1;
        self.go_on(&mut attempts);
    }

    /// An attempt has ended, of a runner that may be about to take the next. Whether it is from now on.
    fn end(&self, ended: Ended, blocking: bool, takes: bool) -> bool {
        let mut attempts = self.lock();
        attempts.running -= 1;
        attempts.blocking -= u32::from(blocking);
        attempts.ended.push(ended);
        let news = attempts.ended.len() == attempts.told_at;
        let more = !takes && attempts.taking < attempts.wanted();
        attempts.taking += usize::from(more);
        drop(attempts);
        if news {
            self.news.notify_one();
        }
        takes || more
    }

    /// A runner, from the moment on when it is about to take an attempt.
    async fn run(self: Arc<Self>) {
        let (mut turn, mut turns, mut used, mut fresh) = (Instant::now(), Turns(0), thread_time(), true);
        loop {
            let Some(taken) = self.take(fresh) else { return };
            let mut polls = Polls { takes: taken.quick, first: true, last: taken.began };
            let outcome = {
                // not only the task's code: what it leaves behind may panic as it is dropped
                let mut run = pin!(caught_future(taken.attempt.run()));
                let ended = poll_fn(|cx| {
                    let polled = run.as_mut().poll(cx);
                    polls.note(&self, &taken, used, polled.is_ready());
                    polled
                });
                ended.await.unwrap_or_else(|panic| taken.attempt.outcome(How::Returned(Err(panic))))
            };
            let Polls { takes, last: now, .. } = polls;
            let blocking = taken.attempt.blocking();
            if !self.end(taken.ended(outcome, now), blocking, takes) {
                return;
            }
            fresh = !takes;
            if fresh || now - turn > TURN {
                give_way(turns.end_of(now - turn)).await;
                (turn, used) = (Instant::now(), thread_time());
            }
        }
    }
}

/// Lets what has ended be settled on this thread, and goes on on another one that has nothing to do.
///
/// Tokio's `yield_now` goes on only once this thread has nothing else to do. That is needed now and `then`, and where there is no
/// other thread: what arrives, timers, and whoever else gave way have their turn before.
async fn give_way(then: bool) {
    if then || Handle::current().metrics().num_workers() == 1 {
        return yield_now().await;
    }
    let mut gave = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// How many turns a runner had in a row.
struct Turns(u8);

impl Turns {
    /// After so many, or as long a one, all else on its thread has its turn.
    const MOST: u8 = 5;

    /// One has taken so long: whether it was the last in a row.
    fn end_of(&mut self, took: Duration) -> bool {
        self.0 += 1;
        let last = self.0 == Self::MOST || took > TURN * Self::MOST.into();
        if last {
            self.0 = 0;
        }
        last
    }
}

/// The processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fifth_turn_and_each_long_one_lets_all_others_have_theirs() {
        // a runner that went on at once each time kept timers and whoever gave way from the thread for hundreds of milliseconds
        let mut turns = Turns(0);
        let mut ends = |turn: Duration| turns.end_of(turn);
        let quick: Vec<bool> = (0..10).map(|_| ends(TURN)).collect();
        assert_eq!(quick.iter().filter(|last| **last).count(), 2);
        assert!(quick[4] && quick[9]);
        assert!((0..3).all(|_| ends(6 * TURN)));
        assert!(!ends(TURN), "and then it counts anew");
    }

    #[test]
    fn an_attempt_that_runs_takes_half_a_kilobyte_beside_its_task() {
        let bench = Bench::new(Slots { all: 1, blocking: 1 });
        let runner = size_of_val(&bench.0.clone().run());
        assert!(runner <= 520, "{runner} bytes");
    }
}
