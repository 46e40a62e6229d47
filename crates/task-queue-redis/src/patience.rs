//! How long an answer is waited for, and whether one that does not come will.
//!
//! A connection may be half open: what is sent over it is lost, and nobody says so. A server may be slow, too, and a call
//! that is given up for that is a call for nothing. So while a call is unanswered, another connection asks. A server hears
//! all its connections in turn: one that answers what was asked half a second later has answered the call, too, or has not
//! got it, unless it is so long that it is still on its way.

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::dial::{ANSWER, Dialer};

/// So long after a call it is asked whether the server answers at all.
const ASK_AFTER: Duration = Duration::from_millis(500);
/// For the answer to that; then it is asked anew.
const ASK: Duration = Duration::from_millis(500);
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// An answer may come so much later than that of a server that was asked after it.
const OVERTAKEN: Duration = Duration::from_millis(250);
/// No call is given up sooner.
const LEAST: Duration = Duration::from_secs(1);

/// Of one client.
#[derive(Default)]
pub(crate) struct Patience {
    /// When the question was asked that was answered last.
    asked: Mutex<Option<Instant>>,
    /// Milliseconds for an answer of a server that answers others: more where records are long and the way is slow.
    millis: AtomicU64,
}

impl Patience {
    /// Waits for an answer; none if it will not come.
    pub(crate) async fn wait<T>(&self, dialer: &Dialer, answer: impl Future<Output = T>) -> Option<T> {
        let sent = Instant::now();
        let mut answer = pin!(answer);
        // at first it costs nothing beyond the wait itself
        let soon = timeout(ASK_AFTER, &mut answer).await.ok();
        let answer = match soon {
            Some(answer) => Some(answer),
            None => tokio::select! {
                biased;
                answer = answer => Some(answer),
                () = self.overtaken(dialer, sent) => None,
                () = sleep_until(sent + ANSWER) => None,
            },
        };
        self.learn(answer.is_some(), sent.elapsed());
        answer
    }

    /// Until a server that answers others has had time enough for a call that was sent then.
    async fn overtaken(&self, dialer: &Dialer, sent: Instant) {
        let patience = self.now();
        while !self.answers(dialer, sent + ASK_AFTER).await {
            sleep(ASK_AGAIN).await;
        }
        sleep_until((sent + patience).max(Instant::now() + OVERTAKEN)).await;
    }

    /// Whether the server answers what is asked from this moment on. One asks for all who want to know.
    async fn answers(&self, dialer: &Dialer, from: Instant) -> bool {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked >= from) {
            return true;
        }
        let now = Instant::now();
        let answers = matches!(timeout(ASK, dialer.dial("asks")).await, Ok(Ok(_)));
        if answers {
            *asked = Some(now);
        }
        answers
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed)).clamp(LEAST, ANSWER)
    }

    /// What was given up in vain would be so again, and what takes long once does so again: four times that is waited.
    fn learn(&self, answered: bool, took: Duration) {
        let before = self.now();
        let next = if answered { (4 * took).max(before * 7 / 8) } else { 2 * before };
        let next = next.clamp(LEAST, ANSWER);
        if next != before {
            self.millis.store(u64::try_from(next.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_what_takes_long_or_was_given_up_and_shrinks_by_what_does_not() {
        let patience = Patience::default();
        assert_eq!(patience.now(), LEAST);
        patience.learn(true, Duration::from_millis(400));
        assert_eq!(patience.now(), Duration::from_millis(1600));
        for _ in 0..9 {
            patience.learn(true, Duration::from_millis(1));
        }
        assert_eq!(patience.now(), LEAST);
        for seconds in [2, 4, 5, 5] {
            patience.learn(false, LEAST);
            assert_eq!(patience.now(), Duration::from_secs(seconds));
        }
    }
}
