//! Tables without lines: columns that people read, and that `awk` can cut.

use comfy_table::{Cell, Color, ContentArrangement, Row, Table, presets};
use task_core::TaskStatus;

use super::super::{View, plain};

/// A table with a head.
pub(super) struct Rows(Table);

impl Rows {
    pub(super) fn new(head: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(head.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>());
        Self(table)
    }

    /// One more row, whose texts are plain.
    pub(super) fn add<const N: usize>(&mut self, cells: [Cell; N]) {
        self.0.add_row(Row::from(cells));
    }

    pub(super) fn show(self, view: &View) -> String {
        show(self.0, view)
    }
}

/// What is known of one thing: a name and a text a line.
pub(super) struct Pairs(Table);

impl Pairs {
    pub(super) fn new() -> Self {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        Self(table)
    }

    #[must_use]
    pub(super) fn add_cell(mut self, name: &str, cell: Cell) -> Self {
        self.0.add_row([Cell::new(name), cell]);
        self
    }

    #[must_use]
    pub(super) fn add(self, name: &str, text: impl AsRef<str>) -> Self {
        self.add_cell(name, Cell::new(plain(text.as_ref())))
    }

    #[must_use]
    pub(super) fn maybe(self, name: &str, text: Option<String>) -> Self {
        match text {
            Some(text) => self.add(name, text),
            None => self,
        }
    }

    pub(super) fn show(self, view: &View) -> String {
        show(self.0, view)
    }
}

/// A status in its colour; it shows where colours are wanted.
pub(super) fn status(status: TaskStatus) -> Cell {
    Cell::new(status).fg(match status {
        TaskStatus::Pending => Color::Blue,
        TaskStatus::Running => Color::Cyan,
        TaskStatus::Retry => Color::Yellow,
        TaskStatus::Completed => Color::Green,
        TaskStatus::Failed => Color::Red,
        TaskStatus::Skipped | TaskStatus::Cancelled => Color::DarkGrey,
    })
}

fn show(mut table: Table, view: &View) -> String {
    // by itself the library looks at the terminal of this process
    table.force_no_tty();
    if view.colours {
        table.enforce_styling();
    }
    table.set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = view.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

/// The columns of the terminal that stdout is, if it is one and they are enough for a table.
pub(crate) fn terminal_width() -> Option<u16> {
    Table::new().width().filter(|columns| *columns >= 60)
}
