//! One named queue: its state behind a lock, and those that wait for it to change.
//!
//! How nobody sleeps on work: a waiter enters itself before it looks, so that what comes after its look wakes it. For
//! tasks that any worker may take one waiter is woken, and each claimer that leaves some behind wakes the next; a
//! waiter that is dropped passes its wake on. What concerns only some of them wakes all, and is rare. One waiter at a
//! time watches the clock for all.

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use task_core::{Claim, Heartbeat, Incarnation, Name, TaskId, Timestamp};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use crate::{
    clock::Clock,
    state::{Apply, Beat, BeatReply, Effects, Granted, Limits, Look, State, Stored, Tick, WorkerClosed},
    subscribers::Subscribers,
};

/// The one who watches the clock looks so often at least: less than the gap that the state takes for an outage.
const WATCH: Duration = Duration::from_secs(5);
/// A safety read of those that wait for a result, which also notices what time alone has ended.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// The longest wait; what is longer is cut, so that no sum overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Debug)]
pub(crate) struct Named {
    state: Mutex<State>,
    /// Wakes one that waits for tasks.
    ready: Notify,
    /// Wakes all that wait for tasks.
    changed: Notify,
    /// Held by the one that watches the clock.
    watch: tokio::sync::Mutex<()>,
    /// Tells that one that something is due earlier.
    earlier: Notify,
    results: Subscribers<TaskId>,
    workers: Subscribers<Incarnation>,
}

impl Named {
    pub(crate) fn new(queue: Name, limits: Limits, now: Timestamp) -> Self {
        Self {
            state: Mutex::new(State::new(queue, limits, now)),
            ready: Notify::new(),
            changed: Notify::new(),
            watch: tokio::sync::Mutex::new(()),
            earlier: Notify::new(),
            results: Subscribers::default(),
            workers: Subscribers::default(),
        }
    }

    /// Whether nothing is lost with it.
    pub(crate) fn is_blank(&self, limits: Limits, now: Timestamp) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_blank(limits, now)
    }

    /// Carries out a request, and wakes whom it concerns.
    pub(crate) fn apply<R: Apply>(&self, clock: &Clock, request: R) -> R::Reply {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.next_event();
        let reply = state.apply(request, clock.now());
        let effects = state.take_effects();
        let earlier = match (state.next_event(), before) {
            (Some(now), Some(before)) => now < before,
            (now, before) => now.is_some() && before.is_none(),
        };
        drop(state);
        self.wake(&effects, earlier);
        reply
    }

    fn wake(&self, effects: &Effects, earlier: bool) {
        if effects.changed {
            self.changed.notify_waiters();
        }
        if effects.ready {
            self.ready.notify_one();
        }
        if earlier {
            self.earlier.notify_one();
        }
        self.results.notify(&effects.ended);
        self.workers.notify(&effects.told);
    }

    /// Claims, and waits for the first task as long as the claim says.
    pub(crate) async fn claim(&self, clock: &Clock, claim: &Claim) -> Result<Granted, WorkerClosed> {
        let end = Instant::now() + claim.wait.min(LONGEST);
        loop {
            let mut changed = pin!(self.changed.notified());
            let mut ready = pin!(self.ready.notified());
            changed.as_mut().enable();
            let granted = self.apply(clock, claim)?;
            if granted.is_answer() || Instant::now() >= end {
                return Ok(granted);
            }
            // Whichever branch wins, the loop looks at everything again; a wake by `ready` that loses against another
            // branch is passed on by Tokio when its future is dropped.
            tokio::select! {
                () = &mut changed => {}
                () = &mut ready, if !granted.barred => {}
                () = self.watch_clock(clock) => {}
                () = sleep_until(end) => {}
            }
        }
    }

    /// Waits for its turn to watch the clock, and then until something is due.
    async fn watch_clock(&self, clock: &Clock) {
        let _turn = self.watch.lock().await;
        loop {
            let due = self.state.lock().unwrap_or_else(PoisonError::into_inner).next_event();
            let pause = due.map_or(WATCH, |due| due.since(clock.now()).min(WATCH));
            tokio::select! {
                () = sleep(pause) => return,
                () = self.earlier.notified() => {}
            }
        }
    }

    /// Beats, and stays as long as the beat says until there is something to hear.
    pub(crate) async fn beat(&self, clock: &Clock, beat: Heartbeat) -> BeatReply {
        let end = Instant::now() + beat.wait.min(LONGEST);
        let heard = self.workers.subscribe(beat.worker);
        let (mut progress, mut holds) = (beat.progress, beat.holds);
        loop {
            let mut news = pin!(heard.news.notified());
            news.as_mut().enable();
            let (worker, registration) = (beat.worker, beat.registration.clone());
            let (progress, holds) = (std::mem::take(&mut progress), holds.take());
            let (heard, busy) = (beat.heard, beat.busy);
            let reply = self.apply(clock, Beat { worker, registration, heard, holds, busy, progress });
            if reply.news || timeout_at(end, news).await.is_err() {
                return reply;
            }
        }
    }

    /// Waits until a task is final.
    pub(crate) async fn result(&self, clock: &Clock, id: &TaskId, timeout: Duration) -> Stored {
        let end = Instant::now() + timeout.min(LONGEST);
        let ended = self.results.subscribe(id.clone());
        loop {
            let mut news = pin!(ended.news.notified());
            news.as_mut().enable();
            let found = self.apply(clock, Look(id));
            if !matches!(found, Stored::Live(_)) || Instant::now() >= end {
                return found;
            }
            let next = end.min(Instant::now() + READ_AGAIN);
            let _ = timeout_at(next, news).await; // either way it looks again
        }
    }

    /// The clock was moved by a test: all that wait look again.
    pub(crate) fn look_again(&self, clock: &Clock) {
        self.apply(clock, Tick);
        self.earlier.notify_one();
        self.changed.notify_waiters();
        self.results.notify_all();
        self.workers.notify_all();
    }
}
