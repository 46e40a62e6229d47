use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    child::Child,
    words::{Limits, Notice, Start},
};

pub(super) const FIRST_BACKOFF: Duration = Duration::from_millis(100);
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The minute in which starts are counted, after which one is healthy, and after which a parked seat is tried again.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// The longest pause after a death under a task: its neighbours wait for the next start.
const UNDER_A_TASK: Duration = Duration::from_secs(1);
/// And so often the pause doubles for such deaths: to 0.8 s, so that the next one is told as it will be.
const UNDER_A_TASK_BACKOFFS: u32 = 3;

/// The place of one worker: who is there, and when the next start comes.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) current: Option<Child>,
    pub(super) successor: Option<Child>,
    rest: Rest,
    /// Deaths that count, with the start that died.
    failures: VecDeque<(Instant, Start)>,
    backoffs: u32,
    /// The last start came after a pause of parking: one more failure parks again.
    on_trial: bool,
}

#[derive(Debug)]
enum Rest {
    /// A start is there, or none is wanted.
    No,
    /// The next start comes then.
    Backoff(Instant),
    /// The same, after too many that came to nothing.
    Parked(Instant),
}

impl Seat {
    /// An empty one, to be filled now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            current: None,
            successor: None,
            rest: Rest::Backoff(now),
            failures: VecDeque::new(),
            backoffs: 0,
            on_trial: false,
        }
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &Child> {
        self.current.iter().chain(&self.successor)
    }

    pub(super) fn children_mut(&mut self) -> impl Iterator<Item = &mut Child> {
        self.current.iter_mut().chain(&mut self.successor)
    }

    pub(super) fn is_parked(&self) -> bool {
        self.current.is_none() && matches!(self.rest, Rest::Parked(_))
    }

    /// When the next start comes, if one does.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        match self.rest {
            Rest::Backoff(at) | Rest::Parked(at) => Some(at),
            Rest::No => None,
        }
    }

    /// Nothing is started here any more.
    pub(super) fn close(&mut self) {
        self.rest = Rest::No;
    }

    /// Whether the rest is over, which it then is.
    pub(super) fn wakes(&mut self, now: Instant) -> bool {
        if self.rests_until().is_none_or(|at| at > now) {
            return false;
        }
        self.on_trial = matches!(self.rest, Rest::Parked(_));
        self.rest = Rest::No;
        true
    }

    /// Its worker died, and nobody takes over: how long it rests, in words for people.
    pub(super) fn rest_after(
        &mut self,
        dead: &Child,
        limits: &Limits,
        random: &mut fastrand::Rng,
        now: Instant,
    ) -> Notice {
        if dead.was_ready_for(MINUTE, now) {
            self.backoffs = 0;
            self.on_trial = false;
        }
        let counts = self.count_death(dead, now);
        if counts && (self.on_trial || self.failures.len() >= limits.max_restarts as usize) {
            self.rest = Rest::Parked(now + MINUTE);
            return Notice::Parked;
        }
        let wait = FIRST_BACKOFF.saturating_mul(1 << self.backoffs.min(16)).min(MAX_BACKOFF);
        let wait = wait.mul_f64(0.75 + 0.5 * random.f64());
        self.backoffs += 1;
        self.rest = Rest::Backoff(now + wait);
        Notice::Restarts(wait)
    }

    /// Whether its worker died by itself, which then counts.
    pub(super) fn count_death(&mut self, dead: &Child, now: Instant) -> bool {
        if dead.was_to_end() {
            return false;
        }
        self.failures.push_back((now, dead.start));
        self.failures.retain(|(at, _)| now.duration_since(*at) < MINUTE);
        true
    }

    /// A start that died here held tasks: then its death is the task's doing. It parks nobody, and keeps its neighbours
    /// waiting for a second at most.
    pub(super) fn died_under_tasks(&mut self, start: Start, now: Instant) {
        let before = self.failures.len();
        self.failures.retain(|(_, failed)| *failed != start);
        if self.failures.len() == before {
            return; // it was another seat's, or is long ago
        }
        self.backoffs = self.backoffs.min(UNDER_A_TASK_BACKOFFS);
        match &mut self.rest {
            Rest::Parked(_) if !self.on_trial => self.rest = Rest::Backoff(now),
            Rest::Backoff(at) => *at = (*at).min(now + UNDER_A_TASK),
            Rest::Parked(_) | Rest::No => {}
        }
    }
}
