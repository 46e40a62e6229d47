//! The ledger as it is read while it is written.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use chaos::{Event, Line};

use crate::entry::Where;

/// What was read so far.
pub(crate) struct Book {
    path: PathBuf,
    read: u64,
    pub(crate) lines: Vec<Line>,
    /// Tasks that a run of has come to its end.
    pub(crate) ended: BTreeSet<String>,
    /// How many of these apps enqueued into each named queue, and how many follow-ups there are.
    pub(crate) ended_in: [usize; 4],
}

impl Book {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: 0, lines: Vec::new(), ended: BTreeSet::new(), ended_in: [0; 4] }
    }

    /// Reads what came to it.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        let mut text = String::new();
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.read))?;
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        for line in text[..whole].lines() {
            let line: Line = line.parse().map_err(io::Error::other)?;
            if line.event == Event::End && self.ended.insert(line.id.clone()) {
                self.ended_in[Where::of(&line.id).map_or(3, |queue| queue as usize)] += 1;
            }
            self.lines.push(line);
        }
        Ok(())
    }
}
