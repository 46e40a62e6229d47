//! How answers look: pure functions of the answer and of where it goes.

mod json;
mod text;

use task_core::Timestamp;

use crate::answer::Answer;

pub(crate) use text::terminal_width;

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// One JSON object a line.
    pub(crate) json: bool,
    /// Cells are broken to fit so many columns, where there is such a limit.
    pub(crate) width: Option<u16>,
    pub(crate) colours: bool,
    /// What ages are counted from.
    pub(crate) now: Timestamp,
}

/// An answer as it is printed: whole lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    /// What was asked for.
    pub(crate) out: String,
    /// What is to be said of it.
    pub(crate) err: String,
}

impl Printed {
    fn out(line: impl Into<String>) -> Self {
        Self { out: lines(line.into()), err: String::new() }
    }

    fn err(line: impl Into<String>) -> Self {
        Self { out: String::new(), err: lines(line.into()) }
    }
}

/// With an end, unless there is nothing at all.
fn lines(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// An answer as it is printed.
pub(crate) fn render(answer: &Answer, view: &View) -> Printed {
    let mut printed = text::render(answer, view);
    if view.json
        && let Some(objects) = json::render(answer)
    {
        printed.out = objects;
    }
    printed
}

/// A text with its control characters escaped, as JSON escapes them: what a task said may come from anywhere, and must
/// not speak to the terminal.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => plain.push_str("\\n"),
            '\r' => plain.push_str("\\r"),
            '\t' => plain.push_str("\\t"),
            c if c.is_control() => plain.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
