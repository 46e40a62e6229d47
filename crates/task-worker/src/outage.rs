use std::time::Duration;

use tokio::time::Instant;

/// Tells an outage once, and again while it lasts, but not at each call that fails.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    told: Option<Instant>,
}

impl Outage {
    const AGAIN: Duration = Duration::from_secs(15);

    /// After a call that failed.
    pub(crate) fn is_to_be_told(&mut self) -> bool {
        let due = self.told.is_none_or(|told| told.elapsed() >= Self::AGAIN);
        if due {
            self.told = Some(Instant::now());
        }
        due
    }

    /// After a call that did not.
    pub(crate) fn is_over(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_of_a_minute_is_told_a_few_times_and_the_next_one_at_once() {
        let mut outage = Outage::default();
        let mut told = 0;
        for _ in 0..200 {
            told += u32::from(outage.is_to_be_told());
            tokio::time::advance(Duration::from_millis(300)).await;
        }
        assert_eq!(told, 4);
        outage.is_over();
        assert!(outage.is_to_be_told());
    }
}
