//! What tells a worker to stop: signals, and the end of its orchestrator.

use std::{os::fd::RawFd, time::Duration};

use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::Instant,
};

use crate::settings::WorkerError;

/// How a worker is to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stop {
    #[default]
    Run,
    /// Claim nothing; what runs goes on.
    Paused,
    /// Claim nothing, finish within the grace.
    Graceful,
    /// Give back now.
    Now,
}

/// What comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// TERM or INT.
    End,
    /// TSTP.
    Pause,
    /// CONT.
    GoOn,
    /// The orchestrator is gone.
    Orphaned,
}

impl Stop {
    fn after(self, order: Order) -> Self {
        match (self, order) {
            (Self::Run | Self::Paused, Order::End | Order::Orphaned) => Self::Graceful,
            (Self::Graceful | Self::Now, Order::End) => Self::Now,
            (Self::Run | Self::Paused, Order::Pause) => Self::Paused,
            (Self::Run | Self::Paused, Order::GoOn) => Self::Run,
            (Self::Graceful | Self::Now, Order::Pause | Order::GoOn | Order::Orphaned) => self,
        }
    }
}

/// Tells a worker to stop, from anywhere in its process: [`TaskWorker::stop_handle`](crate::TaskWorker::stop_handle).
/// Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct StopHandle(pub(crate) watch::Sender<Stop>);

impl StopHandle {
    /// As TERM does: the worker claims nothing more, and what runs may go on within its grace. Told again: at once.
    pub fn stop(&self) {
        self.0.send_modify(|stop| *stop = stop.after(Order::End));
    }

    /// As a second TERM does: what can be stopped is stopped, and given back uncounted.
    pub fn stop_now(&self) {
        self.0.send_replace(Stop::Now);
    }
}

/// Whoever tells a process and its group to end, as `timeout` does, tells it twice; who means it comes later. Shorter than
/// what an orchestrator takes for one, so that the second word that it passes on counts here.
const ONE: Duration = Duration::from_millis(200);

/// By which signal it was told to end first, and when.
#[derive(Default)]
struct Ends(Option<(SignalKind, Instant)>);

impl Ends {
    fn order(&mut self, signal: SignalKind) -> Option<Order> {
        self.counts(signal, Instant::now()).then_some(Order::End)
    }

    /// Whether this signal is more than an echo of the first.
    fn counts(&mut self, signal: SignalKind, now: Instant) -> bool {
        let is_echo = self.0.is_some_and(|(first, at)| first == signal && now - at < ONE);
        self.0.get_or_insert((signal, now));
        !is_echo
    }
}

pub(crate) struct Signals {
    ends: [Signal; 2],
    pause: Signal,
    go_on: Signal,
    lifeline: Option<pipe::Receiver>,
}

impl Signals {
    /// From now on the signals are ours; the lifeline is the one that TASK_LIFELINE_FD names.
    pub(crate) fn new() -> Result<Self, WorkerError> {
        let lifeline = std::env::var("TASK_LIFELINE_FD").ok().filter(|text| !text.is_empty());
        Ok(Self {
            lifeline: lifeline.as_deref().map(open_lifeline).transpose()?,
            ends: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
            pause: signal(SignalKind::from_raw(nix::libc::SIGTSTP))?,
            go_on: signal(SignalKind::from_raw(nix::libc::SIGCONT))?,
        })
    }

    /// Tells each signal on, without end.
    pub(crate) async fn tell(self, stop: watch::Sender<Stop>) {
        let Self { ends: [mut term, mut int], mut pause, mut go_on, lifeline } = self;
        let (mut watched, mut ends) = (lifeline.is_some(), Ends::default());
        let mut orphaned = std::pin::pin!(end_of(lifeline));
        loop {
            // a signal that comes while another is told is kept by its stream
            let order = tokio::select! {
                _ = term.recv() => ends.order(SignalKind::terminate()),
                _ = int.recv() => ends.order(SignalKind::interrupt()),
                _ = pause.recv() => Some(Order::Pause),
                _ = go_on.recv() => Some(Order::GoOn),
                () = &mut orphaned, if watched => {
                    watched = false;
                    Some(Order::Orphaned)
                }
            };
            if let Some(order) = order {
                stop.send_modify(|stop| *stop = stop.after(order));
            }
        }
    }
}

/// The read end of the pipe that an orchestrator holds open while it lives.
fn open_lifeline(text: &str) -> Result<pipe::Receiver, WorkerError> {
    let wrong =
        |problem: String| WorkerError::Env { variable: "TASK_LIFELINE_FD", value: text.to_owned(), problem };
    let number: RawFd = text
        .parse()
        .map_err(|_| wrong("it is the number of the read end of a pipe; leave it unset".into()))?;
    // opened by its path, so that it is ours to close
    let descriptors = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let pipe = pipe::OpenOptions::new().open_receiver(format!("{descriptors}/{number}"));
    pipe.map_err(|error| {
        wrong(format!("no pipe can be read there ({error}); let whoever starts the worker pass it on"))
    })
}

/// Waits for the end of the pipe. What is written into it means nothing.
async fn end_of(pipe: Option<pipe::Receiver>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; 16];
    while pipe.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOPS: [Stop; 4] = [Stop::Run, Stop::Paused, Stop::Graceful, Stop::Now];
    const ORDERS: [Order; 4] = [Order::End, Order::Pause, Order::GoOn, Order::Orphaned];

    #[test]
    fn no_order_takes_back_a_stop() {
        let weight = |stop| STOPS.iter().position(|other| *other == stop).unwrap();
        for stop in [Stop::Graceful, Stop::Now] {
            for order in ORDERS {
                assert!(weight(stop.after(order)) >= weight(stop), "{stop:?} after {order:?}");
            }
        }
    }

    #[test]
    fn a_second_signal_means_now_but_an_orchestrator_that_goes_after_a_signal_does_not() {
        // an orchestrator that stops sends TERM and ends, and its workers dropped what they were to finish
        let stopping = Stop::Run.after(Order::End);
        assert_eq!((stopping, stopping.after(Order::End)), (Stop::Graceful, Stop::Now));
        assert_eq!(stopping.after(Order::Orphaned), Stop::Graceful);
        assert_eq!(Stop::Paused.after(Order::Orphaned), Stop::Graceful);
        assert_eq!(
            (Stop::Run.after(Order::Pause), Stop::Paused.after(Order::GoOn)),
            (Stop::Paused, Stop::Run)
        );
    }

    #[test]
    fn a_signal_that_comes_twice_at_once_is_one() {
        // `timeout` tells a process and its group, and what ran was given back at once
        let (mut ends, first) = (Ends::default(), Instant::now());
        let (term, int) = (SignalKind::terminate(), SignalKind::interrupt());
        assert!(ends.counts(term, first));
        let soon = first + ONE / 2;
        assert!(!ends.counts(term, first) && !ends.counts(term, soon) && ends.counts(int, soon));
        assert!(ends.counts(term, first + ONE) && ends.counts(term, first + ONE));
    }

    #[test]
    fn a_lifeline_that_is_none_is_told_with_its_value() {
        for bad in ["x", "-1", "99999"] {
            let error = open_lifeline(bad).unwrap_err().to_string();
            assert!(error.starts_with(&format!("TASK_LIFELINE_FD=`{bad}` can't be: ")), "{error}");
        }
    }
}
