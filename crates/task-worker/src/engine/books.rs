//! How much a worker may claim: pure.

use std::time::Duration;

/// Where a worker stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Books {
    /// How many tasks may run at once.
    pub(crate) concurrency: u32,
    /// How many more may wait here for one of these to end.
    pub(crate) buffer: u32,
    /// Tasks that run, or wait here to.
    pub(crate) held: u32,
    /// Tasks that claims under way may bring.
    pub(crate) asked: u32,
    /// Ends of attempts that the queue has not taken yet.
    pub(crate) unsettled: u32,
    /// It stops, or was told to pause.
    pub(crate) resting: bool,
    /// A suspect waits for a process of its own.
    pub(crate) run_empty: bool,
    /// One of those that it holds is a suspect, or a claim of one queue of several may be bringing one.
    pub(crate) suspect: bool,
}

/// What waits here for a slot may be expected to wait so long.
const AHEAD: Duration = Duration::from_millis(50);
/// So many may wait for each slot where a call is no more than a millisecond on its way: what it costs is then shared by
/// hundreds of tasks that take no time. Where it is longer it is as many for each millisecond, up to the second number.
const WAITING: [u32; 2] = [8, 32];
/// Above so many unsettled ends per slot a worker claims nothing: its queue is away, and what it did must not pile up. All
/// that it may hold can end at once, and that is not so many; over a distance it is twice what it may hold.
const UNSETTLED: u32 = 2 * (1 + WAITING[0]);
/// So many tasks are claimed at once where a call is no more than a millisecond on its way, and for each millisecond, up to
/// the second number, so that no call keeps the queue from others for long.
const AT_ONCE: [u32; 2] = [256, 512];
/// So few tasks, carried by a call, add nothing that counts to the time that it takes.
const FEW: usize = 32;

impl Books {
    pub(crate) fn holds_nothing(&self) -> bool {
        self.held + self.asked + self.unsettled == 0
    }

    /// How many tasks may be claimed now.
    pub(crate) fn room(&self) -> u32 {
        let most = self.concurrency.saturating_add(self.buffer);
        let too_many_unsettled =
            self.unsettled >= self.concurrency.saturating_mul(UNSETTLED).max(most.saturating_mul(2));
        if self.resting || self.suspect || too_many_unsettled {
            return 0;
        }
        if self.run_empty {
            return u32::from(self.holds_nothing());
        }
        self.concurrency.saturating_add(self.buffer).saturating_sub(self.held + self.asked)
    }
}

/// How many tasks to claim beyond those that can start at once, so that short ones need not wait for a round trip
/// each: as many as one slot runs within 50 ms, at most eight a slot, or more over a distance, and none while no task is
/// known to be so short.
///
/// `mean` is what attempts took lately; `youngest` is the age of the attempt that started last, of those that run: where
/// no slot was freed for so long, the mean is out of date. Calls are on their [`way`] so long.
pub(crate) fn buffer(
    mean: Option<Duration>,
    youngest: Option<Duration>,
    way: Option<Duration>,
    concurrency: u32,
) -> u32 {
    let Some(mean) = mean else { return 0 };
    if youngest.is_some_and(|age| age >= AHEAD) {
        return 0;
    }
    let ahead = AHEAD.as_nanos() / mean.as_nanos().max(1);
    let [least, most] = WAITING;
    let waiting = each_millisecond(way, least).min(most);
    u32::try_from(ahead).unwrap_or(u32::MAX).min(concurrency.saturating_mul(waiting))
}

/// How many tasks to claim at once, where calls are on their [`way`] so long. A larger batch is not cheaper, and leaves the queue
/// idle while it is run, or the worker while it is brought; over a distance it has to last until the next has come.
pub(crate) fn at_once(way: Option<Duration>) -> u32 {
    let [least, most] = AT_ONCE;
    each_millisecond(way, least).min(most)
}

/// How many claims may be under way, where calls are on their [`way`] so long: over a distance several, so that the queue has
/// something to do while answers travel.
pub(crate) fn claims(way: Option<Duration>) -> usize {
    if way.is_some_and(|way| way > Duration::from_millis(1)) { 3 } else { 1 }
}

/// So many for each millisecond, and for the first in any case.
fn each_millisecond(way: Option<Duration>, number: u32) -> u32 {
    let micros = way.map_or(0, |way| way.as_micros());
    u32::try_from(micros * u128::from(number) / 1000).unwrap_or(u32::MAX).max(number)
}

/// How long calls are on their way to the queue and back: what those that carry few tasks take at least. With each that takes
/// longer it is a thousandth more, since a way may become longer. One that carries many says only that it is no longer:
/// what its work takes is not known. So of a way that becomes longer a worker learns when it is less busy.
pub(crate) fn way(before: Option<Duration>, took: Duration, tasks: usize) -> Option<Duration> {
    if tasks > FEW {
        return before.map(|before| before.min(took));
    }
    Some(before.map_or(took, |before| took.min(before + before / 1024 + Duration::from_micros(1))))
}

/// The mean of what attempts took, in which the last few weigh most.
pub(crate) fn mean(before: Option<Duration>, ran: Duration) -> Duration {
    before.map_or(ran, |before| before.saturating_mul(7).saturating_add(ran) / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Books = Books {
        concurrency: 4,
        buffer: 0,
        held: 1,
        asked: 1,
        unsettled: 1,
        resting: false,
        run_empty: false,
        suspect: false,
    };

    #[test]
    fn only_what_can_start_at_once_is_claimed_and_a_buffer() {
        assert_eq!(BUSY.room(), 2);
        assert_eq!(Books { held: 4, ..BUSY }.room(), 0);
        assert_eq!(Books { held: 4, buffer: 3, ..BUSY }.room(), 2);
    }

    #[test]
    fn nothing_is_claimed_beside_a_suspect_at_rest_or_with_many_unsettled() {
        assert_eq!(Books { suspect: true, ..BUSY }.room(), 0);
        assert_eq!(Books { resting: true, ..BUSY }.room(), 0);
        assert_eq!(Books { unsettled: 4 * UNSETTLED, ..BUSY }.room(), 0);
    }

    #[test]
    fn a_worker_asked_to_run_empty_claims_once_it_holds_nothing() {
        assert_eq!(Books { run_empty: true, ..BUSY }.room(), 0);
        let empty = Books { run_empty: true, held: 0, asked: 0, unsettled: 0, ..BUSY };
        assert_eq!(empty.room(), 1);
    }

    #[test]
    fn the_buffer_holds_what_a_slot_runs_in_fifty_milliseconds() {
        let ms = Duration::from_millis;
        assert_eq!(buffer(None, None, None, 64), 0, "nothing is known");
        assert_eq!(buffer(Some(ms(10)), None, None, 64), 5);
        assert_eq!(buffer(Some(ms(1)), Some(ms(9)), Some(ms(1)), 4), 32, "at most eight a slot");
        assert_eq!(buffer(Some(ms(51)), None, None, 64), 0);
        assert_eq!(buffer(Some(Duration::ZERO), None, None, 64), 512);
        assert_eq!(buffer(Some(Duration::ZERO), None, Some(ms(3)), 64), 64 * 24, "over a distance more");
        assert_eq!(buffer(Some(Duration::ZERO), None, Some(ms(300)), 64), 64 * 32);
        assert_eq!(buffer(Some(ms(1)), Some(ms(50)), None, 64), 0, "those that run now are longer");
    }

    #[test]
    fn a_claim_asks_for_more_over_a_distance() {
        let micros = |micros| Some(Duration::from_micros(micros));
        assert_eq!([None, micros(0), micros(900), micros(1000)].map(at_once), [256; 4]);
        assert_eq!((at_once(micros(1500)), at_once(Some(Duration::MAX))), (384, 512));
        assert_eq!([None, micros(1000), micros(1001)].map(claims), [1, 1, 3]);
        let ms = Duration::from_millis;
        assert_eq!(way(None, ms(4), 400), None, "it may all be work");
        let short = way(way(way(None, ms(4), 1), ms(5), 400), ms(3), 500);
        assert_eq!((short, way(short, ms(2), 1)), (micros(3000), micros(2000)));
        let after = (0..3000).fold(micros(0), |before, _| way(before, ms(4), 0));
        assert_eq!(after, micros(4000), "the way has become longer");
    }

    #[test]
    fn the_mean_follows_what_attempts_take_now() {
        let ms = Duration::from_millis;
        assert_eq!(mean(None, ms(80)), ms(80));
        let after = (0..40).fold(ms(1), |before, _| mean(Some(before), ms(80)));
        assert!(after > ms(75), "{after:?}");
    }
}
