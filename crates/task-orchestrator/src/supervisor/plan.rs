//! What the supervisor does about what happens, decided without doing it.
//!
//! Each worker has a *seat*; a seat has at most two *starts* of the program at a time: the one that serves, and while a
//! rolling restart is at this seat, its successor. What holds at all times:
//! - a start is forgotten only after [`Event::Exited`], so that whatever was started is seen to end;
//! - a stop wins over restart, reload and backoff: after [`Event::Stop`] nothing is started any more;
//! - the release of a dead start is asked for exactly once, whatever else is going on.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// One start of the program. Numbers are never used again.
pub(crate) type Start = u64;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The time of [`Plan::next_deadline`] has come, or anything else that makes it worth to look at the clock.
    Tick,
    /// It said that it is ready.
    Ready(Start),
    /// It gave a sign of life; `watchdog`: the one that it means to repeat.
    Alive { start: Start, watchdog: bool },
    /// It ended, or could not be started.
    Exited(Start),
    /// What it held was given back: so many tasks.
    Released { start: Start, tasks: u64 },
    /// Stop everything.
    Stop,
    /// Stop everything now.
    StopNow,
    /// Restart each, one after the other.
    Reload,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start the program for this seat (from 0).
    Start { seat: usize, start: Start },
    /// Ask it to stop.
    Term(Start),
    /// End it.
    Kill(Start),
    /// Give back what it held.
    Release(Start),
    /// Tell the people.
    Say(usize, Notice),
}

/// What people are told of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It ended and is started again after this time.
    Restarts(Duration),
    /// It came to nothing too often, and is tried again in a minute.
    Parked,
    /// It did not get ready in time.
    NotReady,
    /// It was silent for too long.
    Silent,
    /// It did not stop within the grace.
    Stubborn,
    /// The rolling restart is over: the new start came to nothing, and the old one stays.
    ReloadFailed,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_restarts: u32,
    pub(crate) ready: Duration,
    pub(crate) silence: Duration,
    pub(crate) grace: Duration,
    /// The program is known to speak the notify protocol, its repeated sign of life too.
    pub(crate) speaks: bool,
}

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The minute in which starts are counted, after which one is healthy, and after which a parked seat is tried again.
const MINUTE: Duration = Duration::from_secs(60);
/// The longest pause after a death under a task: its neighbours wait for the next start.
const UNDER_A_TASK: Duration = Duration::from_secs(1);
/// And so often the pause doubles for such deaths: to 0.8 s, so that the next one is told as it will be.
const UNDER_A_TASK_BACKOFFS: u32 = 3;
/// A program that says nothing is taken to be ready when it has lived so long.
const SETTLED: Duration = Duration::from_secs(1);
/// What a second signal leaves to a worker that gives back its tasks.
const NOW: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Child {
    start: Start,
    /// When it was started, or last said a word.
    heard: Instant,
    ready: Option<Instant>,
    speaks: bool,
    /// The last sign of life, once it has shown that it repeats them.
    beat: Option<Instant>,
    stop: Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    /// Asked to, and ended at this time; `expected`: by us on purpose, so it does not count as a failure.
    Asked {
        kill: Instant,
        expected: bool,
    },
    Killed {
        expected: bool,
    },
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

#[derive(Debug)]
struct Seat {
    current: Option<Child>,
    successor: Option<Child>,
    rest: Rest,
    /// Deaths that count, with the start that died.
    failures: VecDeque<(Instant, Start)>,
    backoffs: u32,
    /// The last start came after a pause of parking: one more failure parks again.
    on_trial: bool,
}

/// All seats.
#[derive(Debug)]
pub(crate) struct Plan {
    limits: Limits,
    seats: Vec<Seat>,
    next: Start,
    stopping: bool,
    /// The seats that a rolling restart has still to come to; the first is the one that it is at.
    reload: VecDeque<usize>,
    random: fastrand::Rng,
}

impl Plan {
    /// Seats for so many workers; the first [`Event::Tick`] starts them. The seed is that of the backoff's jitter.
    pub(crate) fn new(seats: usize, limits: Limits, seed: u64, now: Instant) -> Self {
        let seat = || Seat {
            current: None,
            successor: None,
            rest: Rest::Backoff(now),
            failures: VecDeque::new(),
            backoffs: 0,
            on_trial: false,
        };
        Self {
            limits,
            seats: std::iter::repeat_with(seat).take(seats).collect(),
            next: 0,
            stopping: false,
            reload: VecDeque::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Nothing lives, and nothing will.
    pub(crate) fn is_over(&self) -> bool {
        self.stopping && self.seats.iter().all(|seat| seat.children().next().is_none())
    }

    /// No seat has a worker, nor will soon.
    pub(crate) fn all_parked(&self) -> bool {
        self.seats.iter().all(|seat| matches!(seat.rest, Rest::Parked(_)) && seat.current.is_none())
    }

    /// How many workers live.
    pub(crate) fn alive(&self) -> usize {
        self.seats.iter().map(|seat| seat.children().count()).sum()
    }

    /// When to come with a [`Event::Tick`] at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let rests = self.seats.iter().filter_map(|seat| match seat.rest {
            Rest::Backoff(at) | Rest::Parked(at) => Some(at),
            Rest::No => None,
        });
        let children =
            self.seats.iter().flat_map(Seat::children).filter_map(|child| child.deadline(&self.limits));
        rests.chain(children).min()
    }

    /// What is to be done, in this order.
    pub(crate) fn decide(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Tick => {}
            Event::Ready(start) => {
                let repeats = self.limits.speaks;
                if let Some(child) = self.child(start) {
                    child.speaks = true;
                    child.ready.get_or_insert(now);
                    if repeats {
                        child.beat.get_or_insert(now);
                    }
                }
            }
            Event::Alive { start, watchdog } => {
                if let Some(child) = self.child(start) {
                    child.speaks = true;
                    child.heard = now;
                    child.beat = if watchdog { Some(now) } else { child.beat.map(|_| now) };
                }
            }
            Event::Exited(start) => self.exited(start, now, &mut actions),
            Event::Released { start, tasks } => self.released(start, tasks, now),
            Event::Stop | Event::StopNow => self.stop(event == Event::StopNow, now, &mut actions),
            Event::Reload if !self.stopping => self.reload = (0..self.seats.len()).collect(),
            Event::Reload => {}
        }
        self.look_at_the_clock(now, &mut actions);
        actions
    }

    fn child(&mut self, start: Start) -> Option<&mut Child> {
        let children = self.seats.iter_mut().flat_map(|seat| [&mut seat.current, &mut seat.successor]);
        children.flatten().find(|child| child.start == start)
    }

    fn exited(&mut self, start: Start, now: Instant, actions: &mut Vec<Action>) {
        let Self { seats, limits, stopping, reload, random, .. } = self;
        let Some((number, seat)) =
            seats.iter_mut().enumerate().find(|(_, seat)| seat.children().any(|child| child.start == start))
        else {
            return; // said twice
        };
        actions.push(Action::Release(start));
        if seat.successor.as_ref().is_some_and(|child| child.start == start) {
            seat.successor = None;
            if !*stopping {
                reload.clear();
                actions.push(Action::Say(number, Notice::ReloadFailed));
            }
            return;
        }
        let Some(child) = seat.current.take() else { return };
        if let Some(successor) = seat.successor.take() {
            // the one that was to take over does so, whether the old one was asked to go or died by itself
            seat.current = Some(successor);
            if reload.front() == Some(&number) {
                reload.pop_front();
            }
            return;
        }
        if *stopping {
            return;
        }
        if child.ready.is_some_and(|ready| now.duration_since(ready) >= MINUTE) {
            seat.backoffs = 0;
            seat.on_trial = false;
        }
        let expected =
            matches!(child.stop, Stop::Asked { expected: true, .. } | Stop::Killed { expected: true });
        if !expected {
            seat.failures.push_back((now, start));
            seat.failures.retain(|(at, _)| now.duration_since(*at) < MINUTE);
        }
        if !expected && (seat.on_trial || seat.failures.len() >= limits.max_restarts.max(1) as usize) {
            seat.rest = Rest::Parked(now + MINUTE);
            actions.push(Action::Say(number, Notice::Parked));
        } else {
            let wait = FIRST_BACKOFF.saturating_mul(1 << seat.backoffs.min(16)).min(MAX_BACKOFF);
            let wait = wait.mul_f64(0.75 + 0.5 * random.f64());
            seat.backoffs += 1;
            seat.rest = Rest::Backoff(now + wait);
            actions.push(Action::Say(number, Notice::Restarts(wait)));
        }
    }

    /// A death under a task is the task's doing: it parks nobody, and keeps its neighbours waiting for a second at most.
    fn released(&mut self, start: Start, tasks: u64, now: Instant) {
        if tasks == 0 {
            return;
        }
        let counted = |seat: &&mut Seat| seat.failures.iter().any(|(_, failed)| *failed == start);
        let Some(seat) = self.seats.iter_mut().find(counted) else { return };
        seat.failures.retain(|(_, failed)| *failed != start);
        seat.backoffs = seat.backoffs.min(UNDER_A_TASK_BACKOFFS);
        match &mut seat.rest {
            Rest::Parked(_) if !seat.on_trial => seat.rest = Rest::Backoff(now),
            Rest::Backoff(at) => *at = (*at).min(now + UNDER_A_TASK),
            Rest::Parked(_) | Rest::No => {}
        }
    }

    fn stop(&mut self, at_once: bool, now: Instant, actions: &mut Vec<Action>) {
        self.stopping = true;
        self.reload.clear();
        let kill = now + if at_once { NOW } else { self.limits.grace };
        for seat in &mut self.seats {
            seat.rest = Rest::No;
            for child in [&mut seat.current, &mut seat.successor].into_iter().flatten() {
                match &mut child.stop {
                    Stop::Killed { .. } => continue,
                    Stop::Asked { .. } if !at_once => continue,
                    Stop::Asked { kill: earlier, .. } => *earlier = kill.min(*earlier),
                    Stop::No => child.stop = Stop::Asked { kill, expected: true },
                }
                actions.push(Action::Term(child.start));
            }
        }
    }

    /// Everything whose time has come.
    fn look_at_the_clock(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Self { seats, limits, next, stopping, reload, .. } = self;
        let mut start_in = |number: usize, actions: &mut Vec<Action>| {
            let start = *next;
            *next += 1;
            actions.push(Action::Start { seat: number, start });
            let speaks = limits.speaks;
            Child { start, heard: now, ready: None, speaks, beat: None, stop: Stop::No }
        };
        for (number, seat) in seats.iter_mut().enumerate() {
            for child in [&mut seat.current, &mut seat.successor].into_iter().flatten() {
                child.look_at_the_clock(number, limits, now, actions);
            }
            if let Rest::Backoff(at) | Rest::Parked(at) = seat.rest
                && at <= now
            {
                seat.on_trial = matches!(seat.rest, Rest::Parked(_));
                seat.rest = Rest::No;
                seat.current = Some(start_in(number, actions));
            }
        }
        while let Some(&number) = reload.front()
            && !*stopping
        {
            let seat = &mut seats[number];
            match (&mut seat.current, &mut seat.successor) {
                // nobody serves: whoever starts there next is new
                (None, _) => {
                    reload.pop_front();
                }
                (Some(_), None) => {
                    seat.successor = Some(start_in(number, actions));
                    break;
                }
                (Some(old), Some(new)) => {
                    if new.is_ready() && old.stop == Stop::No {
                        old.stop = Stop::Asked { kill: now + limits.grace, expected: true };
                        actions.push(Action::Term(old.start));
                    }
                    break;
                }
            }
        }
    }
}

impl Seat {
    fn children(&self) -> impl Iterator<Item = &Child> {
        self.current.iter().chain(&self.successor)
    }
}

impl Child {
    fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// When something has to be done if nothing else happens.
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match (self.stop, self.ready, self.speaks) {
            (Stop::Asked { kill, .. }, ..) => Some(kill),
            (Stop::Killed { .. }, ..) => None,
            (Stop::No, None, true) => Some(self.heard + limits.ready),
            (Stop::No, None, false) => Some(self.heard + SETTLED),
            (Stop::No, Some(_), _) => self.beat.map(|beat| beat + limits.silence),
        }
    }

    fn look_at_the_clock(&mut self, seat: usize, limits: &Limits, now: Instant, actions: &mut Vec<Action>) {
        if self.deadline(limits).is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.stop {
            Stop::Asked { expected, .. } => {
                self.stop = Stop::Killed { expected };
                actions.extend([Action::Say(seat, Notice::Stubborn), Action::Kill(self.start)]);
            }
            Stop::No if self.ready.is_none() && !self.speaks => self.ready = Some(now),
            Stop::No => {
                let notice = if self.ready.is_none() { Notice::NotReady } else { Notice::Silent };
                self.stop = Stop::Asked { kill: now + limits.grace, expected: false };
                actions.extend([Action::Say(seat, notice), Action::Term(self.start)]);
            }
            Stop::Killed { .. } => {}
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
