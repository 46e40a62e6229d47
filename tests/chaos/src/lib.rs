//! What the program with the tasks and the tests that torment it share: the ledger.
//!
//! Each run of a task leaves a line when it starts and one when it ends, in a file that all processes append to. So it
//! is known what was run, how often and when, whatever became of the processes, the network and the queue.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    str::FromStr,
};

use rustix::time::{ClockId, clock_gettime};

/// Microseconds by the clock of this machine that nobody can set, the same in all processes.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

/// What happened to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It began.
    Start,
    /// It came to its end, whatever that was.
    End,
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, as [`now`] says it.
    pub at: u64,
    /// In which process.
    pub pid: u32,
    /// Of which task.
    pub id: String,
    /// The number of its claim.
    pub attempt: u32,
    /// What happened.
    pub event: Event,
}

impl Line {
    /// Something that happens now, in this process.
    pub fn of(id: impl Into<String>, attempt: u32, event: Event) -> Self {
        Self { at: now(), pid: std::process::id(), id: id.into(), attempt, event }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = match self.event {
            Event::Start => "start",
            Event::End => "end",
        };
        write!(f, "{} {} {} {} {event}", self.at, self.pid, self.id, self.attempt)
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let wrong = || format!("`{line}` is no line of a ledger");
        let mut words = line.split(' ');
        let mut word = || words.next().ok_or_else(wrong);
        let (at, pid, id, attempt, event) = (word()?, word()?, word()?, word()?, word()?);
        Ok(Self {
            at: at.parse().map_err(|_| wrong())?,
            pid: pid.parse().map_err(|_| wrong())?,
            id: id.to_owned(),
            attempt: attempt.parse().map_err(|_| wrong())?,
            event: match event {
                "start" => Event::Start,
                "end" => Event::End,
                _ => return Err(wrong()),
            },
        })
    }
}

/// The file, for those who write to it.
#[derive(Debug)]
pub struct Ledger(File);

impl Ledger {
    /// Opens it, and makes it if it isn't there.
    ///
    /// # Errors
    /// If it can't be.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Appends a line, with one write, so that those of several processes don't mix.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn note(&self, line: &Line) -> io::Result<()> {
        (&self.0).write_all(format!("{line}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_half_a_line_is_none() {
        let line = Line::of("a-7", 3, Event::End);
        assert_eq!(line.to_string().parse(), Ok(line.clone()));
        let text = line.to_string();
        assert!(text[..text.len() - 2].parse::<Line>().is_err());
    }
}
