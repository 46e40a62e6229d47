use std::{
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use task_core::{ResultMessage, TaskStatus};

use crate::logging;

/// Results on stdout, the progress bar on stderr.
pub(super) struct Printer {
    results: Option<Box<dyn Write + Send>>,
    bar: Option<ProgressBar>,
    unhappy: u64,
}

impl Printer {
    /// Writes results there, and shows a bar if stderr is a terminal.
    pub(super) fn new(results: Option<Box<dyn Write + Send>>) -> Self {
        let bar = (results.is_some() && io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {elapsed}{msg}");
            let bar = ProgressBar::new(0);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        logging::set_bar(bar.clone());
        Self { results, bar, unhappy: 0 }
    }

    /// One more task was read.
    pub(super) fn read_one(&self) {
        if let Some(bar) = &self.bar {
            bar.inc_length(1);
        }
    }

    /// One line of JSON. An error means that nobody reads any more.
    pub(super) fn result(&mut self, record: &ResultMessage) -> io::Result<()> {
        let Self { results, bar, unhappy } = self;
        *unhappy += u64::from(matches!(record.status, TaskStatus::Failed | TaskStatus::Cancelled));
        if let Some(bar) = bar {
            bar.inc(1);
            if *unhappy > 0 {
                bar.set_message(format!(", {unhappy} failed"));
            }
        }
        let Some(results) = results else { return Ok(()) };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        logging::aside(|| {
            results.write_all(&line)?;
            results.flush()
        })
    }
}

impl Drop for Printer {
    /// The bar goes; what it said, the last line says.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            logging::set_bar(None);
            bar.finish_and_clear();
        }
    }
}
