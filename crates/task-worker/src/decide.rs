//! How much a worker may claim: pure.

/// Where a worker stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Books {
    pub(crate) concurrency: u32,
    /// Tasks that run.
    pub(crate) held: u32,
    /// Tasks that claims under way may bring.
    pub(crate) asked: u32,
    /// Ends of attempts that the queue has not taken yet.
    pub(crate) unsettled: u32,
    /// It stops, or was told to pause.
    pub(crate) resting: bool,
    /// A suspect waits for a process of its own.
    pub(crate) run_empty: bool,
    /// One of those that run is a suspect.
    pub(crate) suspect: bool,
}

/// Above so many unsettled ends per slot a worker claims nothing: its queue is away, and what it did must not pile up.
const UNSETTLED: u32 = 4;

impl Books {
    pub(crate) fn holds_nothing(&self) -> bool {
        self.held + self.asked + self.unsettled == 0
    }

    /// How many tasks may be claimed now.
    pub(crate) fn room(&self) -> u32 {
        let too_many_unsettled = self.unsettled >= self.concurrency.saturating_mul(UNSETTLED);
        if self.resting || self.suspect || too_many_unsettled {
            return 0;
        }
        if self.run_empty {
            return u32::from(self.holds_nothing());
        }
        self.concurrency.saturating_sub(self.held + self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Books = Books {
        concurrency: 4,
        held: 1,
        asked: 1,
        unsettled: 1,
        resting: false,
        run_empty: false,
        suspect: false,
    };

    #[test]
    fn only_what_can_start_at_once_is_claimed() {
        assert_eq!(BUSY.room(), 2);
        assert_eq!(Books { held: 4, ..BUSY }.room(), 0);
    }

    #[test]
    fn nothing_is_claimed_beside_a_suspect_at_rest_or_with_many_unsettled() {
        assert_eq!(Books { suspect: true, ..BUSY }.room(), 0);
        assert_eq!(Books { resting: true, ..BUSY }.room(), 0);
        assert_eq!(Books { unsettled: 16, ..BUSY }.room(), 0);
    }

    #[test]
    fn a_worker_asked_to_run_empty_claims_once_it_holds_nothing() {
        assert_eq!(Books { run_empty: true, ..BUSY }.room(), 0);
        let empty = Books { run_empty: true, held: 0, asked: 0, unsettled: 0, ..BUSY };
        assert_eq!(empty.room(), 1);
    }
}
