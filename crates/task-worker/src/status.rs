//! What a worker says of itself beside the queue: sd_notify's words, to a service manager or an orchestrator that
//! listens on NOTIFY_SOCKET. Without one it says nothing.

use std::{io, thread, time::Duration};

use sd_notify::NotifyState as Word;
use tokio::{
    sync::{oneshot, watch},
    time::{Interval, MissedTickBehavior, interval, timeout},
};

/// How a worker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The queue has answered it.
    pub(crate) ready: bool,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Working,
    Paused,
    /// Calls are not answered.
    Away,
    Stopping,
}

impl Status {
    /// Answers whether that is news.
    pub(crate) fn set(&mut self, state: State) -> bool {
        std::mem::replace(&mut self.state, state) != state
    }

    /// Answers whether that is news.
    pub(crate) fn set_ready(&mut self) -> bool {
        !std::mem::replace(&mut self.ready, true)
    }

    fn words(self) -> &'static str {
        match self.state {
            State::Stopping => "stopping",
            State::Away => "waiting for the queue",
            State::Paused => "paused: nothing is claimed",
            State::Working if self.ready => "working",
            State::Working => "starting",
        }
    }
}

/// What to say when the status was `before` and is `now`.
fn news(before: Option<Status>, now: Status) -> Vec<Word<'static>> {
    let mut words = Vec::new();
    if now.ready && !before.is_some_and(|before| before.ready) {
        words.push(Word::Ready);
    }
    if now.state == State::Stopping && before.is_none_or(|before| before.state != State::Stopping) {
        words.push(Word::Stopping);
    }
    if before.map(Status::words) != Some(now.words()) {
        words.push(Word::Status(now.words()));
    }
    words
}

/// Says how the worker is, each time that changes, and that it lives as often as WATCHDOG_USEC asks for; until `status`
/// ends. It does so on a thread of its own: a worker whose tasks keep every thread of its runtime is busy, not dead.
///
/// What is answered waits, after the end of `status`, until all was said: a process that ends before that never says that
/// it stops.
pub(crate) fn speak(status: watch::Receiver<Status>) -> io::Result<impl Future<Output = ()>> {
    let (speaks, said_all) = oneshot::channel::<()>();
    if std::env::var_os("NOTIFY_SOCKET").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        thread::Builder::new().name("notify".into()).spawn(move || {
            runtime.block_on(tell(status));
            drop(speaks);
        })?;
    }
    // one who does not listen keeps nobody from ending
    Ok(async { drop(timeout(Duration::from_secs(1), said_all).await) })
}

async fn tell(mut status: watch::Receiver<Status>) {
    // three times as often as is asked for, so that one delay is no alarm
    let pause = sd_notify::watchdog_enabled().map(|asked| (asked / 3).max(Duration::from_millis(10)));
    let mut alive = pause.map(interval);
    if let Some(alive) = &mut alive {
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut before = None;
    loop {
        let now = *status.borrow_and_update();
        let words = news(before, now);
        if !words.is_empty() {
            say(&words);
        }
        before = Some(now);
        // a tick or a change that loses is found in the next turn
        tokio::select! {
            () = tick(&mut alive) => say(&[Word::Watchdog]),
            changed = status.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn tick(alive: &mut Option<Interval>) {
    match alive {
        Some(alive) => drop(alive.tick().await),
        None => std::future::pending().await,
    }
}

fn say(words: &[Word<'_>]) {
    // nobody who listens, or one who does not any more: either is fine
    let _ = sd_notify::notify(words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_once_stops_once_and_says_each_change() {
        let status = |ready, state| Status { ready, state };
        let said = |before, now| news(before, now).iter().map(ToString::to_string).collect::<Vec<_>>();
        let starting = status(false, State::Working);
        assert_eq!(said(None, starting), ["STATUS=starting"]);
        assert_eq!(said(Some(starting), status(false, State::Away)), ["STATUS=waiting for the queue"]);
        let working = status(true, State::Working);
        assert_eq!(said(Some(status(false, State::Away)), working), ["READY=1", "STATUS=working"]);
        assert!(said(Some(working), working).is_empty());
        assert_eq!(said(Some(working), status(true, State::Stopping)), ["STOPPING=1", "STATUS=stopping"]);
    }
}
