use std::io::{self, IsTerminal as _, Write};

use indicatif::{ProgressBar, ProgressStyle};
use task_core::ResultMessage;

/// Results on stdout, words and the progress bar on stderr.
pub(super) struct Printer {
    results: Option<Box<dyn Write + Send>>,
    bar: Option<ProgressBar>,
}

impl Printer {
    /// Writes results there; shows a bar if stderr is a terminal.
    pub(super) fn new(results: Option<Box<dyn Write + Send>>) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {elapsed}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { results, bar }
    }

    /// One more task was read.
    pub(super) fn read_one(&self) {
        if let Some(bar) = &self.bar {
            bar.inc_length(1);
        }
    }

    /// One line of JSON. An error means that nobody reads any more.
    pub(super) fn result(&mut self, record: &ResultMessage) -> io::Result<()> {
        let Self { results, bar } = self;
        if let Some(bar) = bar {
            bar.inc(1);
        }
        let Some(results) = results else { return Ok(()) };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let mut write = || {
            results.write_all(&line)?;
            results.flush()
        };
        match bar {
            Some(bar) => bar.suspend(&mut write),
            None => write(),
        }
    }

    /// A line for people.
    pub(super) fn say(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{words}")),
            None => eprintln!("{words}"),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
