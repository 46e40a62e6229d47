use std::{
    io::{self, IsTerminal as _, Write},
    sync::{PoisonError, RwLock},
};

use indicatif::ProgressBar;
use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::settings::Logs;

/// The progress bar that is on the terminal: whatever is written takes it away for the moment.
static BAR: RwLock<Option<ProgressBar>> = RwLock::new(None);

/// Logs go to stderr: stdout is for results.
pub(crate) fn start(logs: Logs) {
    let lines = tracing_subscriber::fmt::layer().with_writer(|| AsideTheBar).with_target(false);
    let lines =
        if logs.json { lines.json().boxed() } else { lines.with_ansi(io::stderr().is_terminal()).boxed() };
    // a program of the user's may have one of its own
    let _ = tracing_subscriber::registry().with(lines.with_filter(logs.level)).try_init();
}

/// From now on this bar is on the terminal, or none is.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    *BAR.write().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Writes to the terminal while no bar is there.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let bar = BAR.read().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// A line for people, on stderr.
pub(crate) fn say(words: &str) {
    aside(|| eprintln!("{words}"));
}

struct AsideTheBar;

impl Write for AsideTheBar {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        aside(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
