//! What the supervisor does about what happens, decided without doing it.
//!
//! Each worker has a *seat*; a seat has at most two *starts* of the program at a time: the one that serves, and while a
//! rolling restart is at this seat, its successor. What holds at all times:
//! - a start is forgotten only after [`Event::Exited`], so that whatever was started is seen to end;
//! - a stop wins over restart, reload and backoff: after [`Event::Stop`] nothing is started any more;
//! - the release of a dead start is asked for exactly once, whatever else is going on.

mod child;
mod seat;
mod words;

use std::time::{Duration, Instant};

pub(crate) use self::words::{Action, Event, Limits, Notice, Start};
use self::{child::Child, seat::Seat};

/// What a second signal leaves to a worker that gives back its tasks.
const NOW: Duration = Duration::from_secs(2);

/// All seats.
#[derive(Debug)]
pub(crate) struct Plan {
    limits: Limits,
    seats: Vec<Seat>,
    next: Start,
    stopping: bool,
    /// Starts before this one are to be replaced, one seat after the other: a rolling restart. One that is asked for during
    /// another goes on with it, and comes again to where a successor was started already.
    outdated: Start,
    random: fastrand::Rng,
}

impl Plan {
    /// Seats for so many workers; the first [`Event::Tick`] starts them. The seed is that of the backoff's jitter.
    pub(crate) fn new(seats: usize, limits: Limits, seed: u64, now: Instant) -> Self {
        Self {
            limits,
            seats: std::iter::repeat_with(|| Seat::new(now)).take(seats).collect(),
            next: 0,
            stopping: false,
            outdated: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Nothing lives, and nothing will.
    pub(crate) fn is_over(&self) -> bool {
        self.stopping && self.alive() == 0
    }

    /// No seat has a worker, nor will soon.
    pub(crate) fn all_parked(&self) -> bool {
        self.seats.iter().all(Seat::is_parked)
    }

    /// How many workers live.
    pub(crate) fn alive(&self) -> usize {
        self.seats.iter().map(|seat| seat.children().count()).sum()
    }

    /// When to come with a [`Event::Tick`] at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let rests = self.seats.iter().filter_map(Seat::rests_until);
        let children = self.seats.iter().flat_map(Seat::children);
        rests.chain(children.filter_map(|child| child.deadline(&self.limits))).min()
    }

    /// What is to be done, in this order.
    pub(crate) fn decide(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let limits = self.limits;
        match event {
            Event::Tick => {}
            Event::Ready(start) => {
                if let Some(child) = self.child(start) {
                    child.said_ready(&limits, now);
                }
            }
            Event::Alive { start, watchdog } => {
                if let Some(child) = self.child(start) {
                    child.said_something(watchdog, now);
                }
            }
            Event::Exited(start) => self.exited(start, now, &mut actions),
            Event::Released { start, tasks: 1.. } => {
                self.seats.iter_mut().for_each(|seat| seat.died_under_tasks(start, now));
            }
            Event::Released { tasks: 0, .. } => {}
            Event::Stop => self.stop(now + limits.grace, false, &mut actions),
            Event::StopNow => self.stop(now + NOW, true, &mut actions),
            Event::Reload if !self.stopping => self.outdated = self.next,
            Event::Reload => {}
        }
        self.look_at_the_clock(now, &mut actions);
        self.go_on_reloading(now, &mut actions);
        actions
    }

    fn child(&mut self, start: Start) -> Option<&mut Child> {
        self.seats.iter_mut().flat_map(Seat::children_mut).find(|child| child.start == start)
    }

    fn exited(&mut self, start: Start, now: Instant, actions: &mut Vec<Action>) {
        let Self { seats, limits, stopping, outdated, random, .. } = self;
        let Some((number, seat)) =
            seats.iter_mut().enumerate().find(|(_, seat)| seat.children().any(|child| child.start == start))
        else {
            return; // said twice
        };
        actions.push(Action::Release(start));
        if seat.successor.as_ref().is_some_and(|child| child.start == start) {
            seat.successor = None;
            if !*stopping {
                *outdated = 0;
                actions.push(Action::Say(number, Notice::ReloadFailed));
            }
            return;
        }
        let Some(dead) = seat.current.take() else { return };
        if let Some(successor) = seat.successor.take() {
            // the one that was to take over does so, whether the old one was asked to go or died by itself
            seat.current = Some(successor);
            if !*stopping && seat.count_death(&dead, now) {
                actions.push(Action::Say(number, Notice::TakenOver));
            }
        } else if !*stopping {
            actions.push(Action::Say(number, seat.rest_after(&dead, limits, random, now)));
        }
    }

    fn stop(&mut self, kill: Instant, again: bool, actions: &mut Vec<Action>) {
        self.stopping = true;
        for seat in &mut self.seats {
            seat.close();
            seat.children_mut().for_each(|child| child.stop(kill, again, actions));
        }
    }

    /// Everything whose time has come.
    fn look_at_the_clock(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for number in 0..self.seats.len() {
            let seat = &mut self.seats[number];
            seat.children_mut().for_each(|child| child.look_at_the_clock(number, &self.limits, now, actions));
            if seat.wakes(now) {
                self.seats[number].current = Some(self.start_in(number, now, actions));
            }
        }
    }

    /// The next step of a rolling restart, if its seat is ready for it.
    fn go_on_reloading(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.stopping {
            return;
        }
        // where nobody serves, whoever starts next is new
        let is_at = |seat: &Seat| seat.successor.is_some();
        let is_old = |seat: &Seat| seat.current.as_ref().is_some_and(|child| child.start < self.outdated);
        let place = self.seats.iter().position(is_at).or_else(|| self.seats.iter().position(is_old));
        let Some(number) = place else { return };
        let seat = &mut self.seats[number];
        match (&mut seat.current, &seat.successor) {
            (Some(old), Some(new)) if new.is_ready() => {
                old.stop(now + self.limits.grace, false, actions);
            }
            (Some(_), None) => self.seats[number].successor = Some(self.start_in(number, now, actions)),
            _ => {}
        }
    }

    fn start_in(&mut self, seat: usize, now: Instant, actions: &mut Vec<Action>) -> Child {
        let start = self.next;
        self.next += 1;
        actions.push(Action::Start { seat, start });
        Child::new(start, &self.limits, now)
    }
}

#[cfg(test)]
mod tests;
