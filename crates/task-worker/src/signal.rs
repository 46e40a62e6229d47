//! What an attempt is told from outside, and what is known of its threads: small, and without an allocation of its own.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tokio::sync::{Notify, futures::Notified};

/// To an attempt: go on, stop soon, or stop now. A word is never taken back.
#[derive(Default)]
pub(crate) struct Signal {
    word: AtomicU8,
    /// How many threads run blocking code of the attempt.
    threads: AtomicU32,
    /// Each change.
    news: Notify,
}

const CANCELLED: u8 = 1;
const STOPPED: u8 = 2;

impl Signal {
    /// It should stop; it has a while for that.
    pub(crate) fn cancel(&self) {
        self.say(CANCELLED);
    }

    /// It is stopped, as far as it can be.
    pub(crate) fn stop(&self) {
        self.say(STOPPED);
    }

    fn say(&self, word: u8) {
        self.word.fetch_max(word, Ordering::AcqRel);
        self.news.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.word.load(Ordering::Acquire) >= CANCELLED
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.word.load(Ordering::Acquire) >= STOPPED
    }

    /// Until it should stop.
    pub(crate) async fn cancelled(&self) {
        self.until(Self::is_cancelled).await;
    }

    /// Until it is stopped.
    pub(crate) async fn stopped(&self) {
        self.until(Self::is_stopped).await;
    }

    /// The next change after this call, if nothing else: it hears from here on, so that none is missed between a look and the
    /// wait for another.
    pub(crate) fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Until no thread runs blocking code of it.
    pub(crate) async fn no_threads(&self) {
        self.until(|signal| signal.threads.load(Ordering::Acquire) == 0).await;
    }

    pub(crate) fn thread_begins(&self) {
        self.threads.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn thread_ends(&self) {
        self.threads.fetch_sub(1, Ordering::AcqRel);
        self.news.notify_waiters();
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let news = self.news();
            if is_so(self) {
                return;
            }
            news.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_word_reaches_those_who_wait_for_it_or_for_less_and_is_never_taken_back() {
        let signal = Signal::default();
        let (mut cancelled, mut stopped) = (pin!(signal.cancelled()), pin!(signal.stopped()));
        assert_eq!((cancelled.as_mut().now_or_never(), stopped.as_mut().now_or_never()), (None, None));
        signal.cancel();
        assert_eq!((cancelled.now_or_never(), stopped.as_mut().now_or_never()), (Some(()), None));
        signal.stop();
        signal.cancel();
        assert_eq!(stopped.now_or_never(), Some(()));
        assert!(signal.is_cancelled() && signal.is_stopped());
    }

    #[test]
    fn the_last_thread_that_ends_is_heard_of() {
        let signal = Signal::default();
        assert_eq!(signal.no_threads().now_or_never(), Some(()));
        signal.thread_begins();
        signal.thread_begins();
        let mut none = pin!(signal.no_threads());
        assert_eq!(none.as_mut().now_or_never(), None);
        signal.thread_ends();
        assert_eq!(none.as_mut().now_or_never(), None);
        signal.thread_ends();
        assert_eq!(none.now_or_never(), Some(()));
    }
}
