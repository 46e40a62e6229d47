use std::time::{Duration, Instant};

use super::words::{Action, Limits, Notice, Start};

/// A program that says nothing is taken to be ready when it has lived so long.
const SETTLED: Duration = Duration::from_secs(1);

/// One start of the program, until it is seen to end.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) start: Start,
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

impl Child {
    pub(super) fn new(start: Start, limits: &Limits, now: Instant) -> Self {
        Self { start, heard: now, ready: None, speaks: limits.speaks, beat: None, stop: Stop::No }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// It was ready for so long.
    pub(super) fn was_ready_for(&self, time: Duration, now: Instant) -> bool {
        self.ready.is_some_and(|ready| now.duration_since(ready) >= time)
    }

    /// Its end is our doing, on purpose.
    pub(super) fn was_to_end(&self) -> bool {
        matches!(self.stop, Stop::Asked { expected: true, .. } | Stop::Killed { expected: true })
    }

    pub(super) fn said_ready(&mut self, limits: &Limits, now: Instant) {
        self.speaks = true;
        self.ready.get_or_insert(now);
        if limits.speaks {
            // it is to repeat its sign of life, and may freeze before the first
            self.beat.get_or_insert(now);
        }
    }

    pub(super) fn said_something(&mut self, watchdog: bool, now: Instant) {
        self.speaks = true;
        self.heard = now;
        self.beat = if watchdog { Some(now) } else { self.beat.map(|_| now) };
    }

    /// Asks it to stop by then. With `again`, one that was asked already is asked once more.
    pub(super) fn stop(&mut self, kill: Instant, again: bool, actions: &mut Vec<Action>) {
        match &mut self.stop {
            Stop::Killed { .. } => return,
            Stop::Asked { .. } if !again => return,
            Stop::Asked { kill: earlier, .. } => *earlier = kill.min(*earlier),
            Stop::No => self.stop = Stop::Asked { kill, expected: true },
        }
        actions.push(Action::Term(self.start));
    }

    /// When something has to be done if nothing else happens.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match (self.stop, self.ready, self.speaks) {
            (Stop::Asked { kill, .. }, ..) => Some(kill),
            (Stop::Killed { .. }, ..) => None,
            (Stop::No, None, true) => Some(self.heard + limits.ready),
            (Stop::No, None, false) => Some(self.heard + SETTLED),
            (Stop::No, Some(_), _) => self.beat.map(|beat| beat + limits.silence),
        }
    }

    pub(super) fn look_at_the_clock(
        &mut self,
        seat: usize,
        limits: &Limits,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
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
