use std::time::Duration;

use tokio::time::Instant;

/// When it is time to say what is waited for: after five seconds, then after twice as long each, up to a minute.
pub(crate) struct Silence {
    pause: Duration,
    until: Instant,
}

impl Silence {
    const FIRST: Duration = Duration::from_secs(5);
    const LONGEST: Duration = Duration::from_secs(60);

    pub(crate) fn new() -> Self {
        Self { pause: Self::FIRST, until: Instant::now() + Self::FIRST }
    }

    /// When it ends.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Whether it has ended; then the next one begins.
    pub(crate) fn is_over(&mut self) -> bool {
        if Instant::now() < self.until {
            return false;
        }
        self.pause = (2 * self.pause).min(Self::LONGEST);
        self.until = Instant::now() + self.pause;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_is_said_ever_more_rarely() {
        let mut silence = Silence::new();
        let mut said = Vec::new();
        for second in 0..200 {
            if silence.is_over() {
                said.push(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(said, [5, 15, 35, 75, 135, 195]);
    }
}
