use std::{
    error::Error,
    fmt::{self, Debug, Write as _},
    io::{self, IsTerminal as _, Write},
    sync::{PoisonError, RwLock},
};

use indicatif::ProgressBar;
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    Layer as _,
    field::RecordFields,
    fmt::{
        FormatFields,
        format::{DefaultFields, Writer},
    },
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::settings::Logs;

/// The progress bar that is on the terminal: whatever is written takes it away for the moment.
static BAR: RwLock<Option<ProgressBar>> = RwLock::new(None);

/// Logs go to stderr: stdout is for results.
pub(crate) fn start(logs: Logs) {
    let lines = tracing_subscriber::fmt::layer().with_writer(|| AsideTheBar).with_target(false);
    let lines = if logs.json {
        lines.json().boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).fmt_fields(Fields).boxed()
    };
    // for all layers, of which there is one: a filter of its own would ask anew for each span. And a program of the user's may
    // have a subscriber of its own
    let _ = tracing_subscriber::registry().with(lines).with(logs.level).try_init();
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

/// Writes fields as [`DefaultFields`] does. Those of a span are written when it begins, which is once for each attempt of a
/// task: for plain ones this is one write into its text, whose memory would grow five times, and no look at colours.
struct Fields;

impl<'a> FormatFields<'a> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'a>, fields: R) -> fmt::Result {
        if !writer.has_ansi_escapes() {
            let mut plain = Plain { text: String::new(), odd: false };
            fields.record(&mut plain);
            if !plain.odd {
                return writer.write_str(&plain.text);
            }
        }
        DefaultFields::new().format_fields(writer, fields)
    }
}

struct Plain {
    text: String,
    /// There are some for which others have rules.
    odd: bool,
}

impl Visit for Plain {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = field.name();
        if name == "message" || name.starts_with("log.") || name.starts_with("r#") {
            self.odd = true;
        }
        if !self.odd {
            let pad = if self.text.is_empty() { "" } else { " " };
            if pad.is_empty() {
                self.text.reserve(120); // once, for most
            }
            self.odd = write!(self.text, "{pad}{name}={value:?}").is_err();
        }
    }

    fn record_error(&mut self, _: &Field, _: &(dyn Error + 'static)) {
        self.odd = true;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is logged in a span, through a layer with these fields.
    fn logged(fields: impl for<'a> FormatFields<'a> + Send + Sync + 'static) -> String {
        #[derive(Clone, Default)]
        struct Lines(Arc<Mutex<Vec<u8>>>);
        impl Write for Lines {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(line)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .fmt_fields(fields);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::error_span!("task", id = %"a b", text = "quoted", n = 3, late = tracing::field::Empty).entered();
            let bare = tracing::error_span!("bare", late = tracing::field::Empty).entered();
            let error: &(dyn Error + 'static) = &fmt::Error;
            let _odd = tracing::error_span!("odd", r#type = 1, error).entered();
            span.record("late", 5);
            bare.record("late", fmt::Error.to_string());
            tracing::info!(n = 4, why = ?Some("x"), "a message");
            tracing::info!(n = 5);
        });
        let text = lines.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn fields_are_written_as_the_library_writes_them() {
        let ours = logged(Fields);
        assert_eq!(ours, logged(DefaultFields::new()));
        assert!(ours.contains("task{id=a b text=\"quoted\" n=3 late=5}"), "{ours}");
    }
}
