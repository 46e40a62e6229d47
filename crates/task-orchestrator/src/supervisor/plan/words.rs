use std::time::Duration;

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
    /// It ended by itself during a rolling restart, and its successor has its place.
    TakenOver,
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
