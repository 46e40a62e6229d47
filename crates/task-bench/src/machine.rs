//! What the machine does to a run. Whatever needs no time itself waits for a core, or stands still with a virtual machine
//! whose host lends its cores to others; and the first touch of memory that was left alone for some seconds may be slow there.

use std::{
    hint::black_box,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Watches how late a thread is that only sleeps, for a millisecond at a time, and is ahead of all others if it may be: where that
/// is more than a few milliseconds, look who holds the cores (`perf sched timehist`) before the machine is blamed.
pub(crate) struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Stood>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        const TURN: Duration = Duration::from_millis(1);
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            // of this thread alone; without the right to it the figure says how long it waits for a core, too
            rustix::process::setpriority_process(Some(rustix::thread::gettid()), -20).ok();
            let mut stood = Stood::default();
            let (begun, mut before) = (Instant::now(), Instant::now());
            while stopped.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                stood.late.push((now - before).saturating_sub(TURN).as_secs_f64());
                before = now;
            }
            stood.watched = begun.elapsed().as_secs_f64();
            stood
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Stood {
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

/// For how long it stood still, again and again, in seconds.
#[derive(Debug, Default)]
pub(crate) struct Stood {
    late: Vec<f64>,
    watched: f64,
}

impl Stood {
    /// In milliseconds, by how much one in a hundred of things is late at least that are due at any time, alike, and need no
    /// time themselves.
    pub(crate) fn p99_ms(&self) -> f64 {
        // what is due while it stands still is late by what is left of that
        let share =
            |late: f64| self.late.iter().map(|stood| (stood - late).max(0.0)).sum::<f64>() / self.watched;
        let (mut low, mut high) = (0.0, self.longest_ms() / 1e3);
        for _ in 0..40 {
            let middle = (low + high) / 2.0;
            if share(middle) > 0.01 { low = middle } else { high = middle }
        }
        high * 1e3
    }

    pub(crate) fn longest_ms(&self) -> f64 {
        self.late.iter().fold(0.0, |longest: f64, late| longest.max(*late)) * 1e3
    }
}

/// How long the first touch of a page takes, on average, after memory was left alone for so long; in microseconds.
pub(crate) fn first_touch_us(left_alone: Duration) -> f64 {
    const PAGE: usize = 4096;
    const TOUCHED: usize = 1000;
    const APART: usize = 32; // far enough that none is brought with another
    let mut memory = vec![1_u8; TOUCHED * APART * PAGE];
    std::thread::sleep(left_alone);
    let begun = Instant::now();
    for page in 0..TOUCHED {
        *black_box(&mut memory[page * APART * PAGE]) += 1;
    }
    begun.elapsed().as_secs_f64() * 1e6 / TOUCHED as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_while_it_stands_still_is_late_by_what_is_left_of_that() {
        // for a tenth of the time: a hundredth of all is due in its first 10 of 100 ms, and late by 90 ms and more
        let stood = Stood { late: vec![0.0, 0.1], watched: 1.0 };
        assert!((stood.p99_ms() - 90.0).abs() < 0.01, "{}", stood.p99_ms());
        assert!((stood.longest_ms() - 100.0).abs() < 0.01);
        let never = Stood { late: vec![0.001; 5], watched: 1.0 };
        assert!(never.p99_ms() < 0.001, "{}", never.p99_ms());
    }
}
