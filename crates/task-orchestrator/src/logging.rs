use std::io::{self, IsTerminal as _};

use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::settings::Logs;

/// Logs go to stderr: stdout is for results.
pub(crate) fn start(logs: Logs) {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    let lines =
        if logs.json { lines.json().boxed() } else { lines.with_ansi(io::stderr().is_terminal()).boxed() };
    // a program of the user's may have one of its own
    let _ = tracing_subscriber::registry().with(lines.with_filter(logs.level)).try_init();
}
