use std::io::{self, BufRead, Read as _};

use super::{InvalidLine, read};
use crate::{Name, TaskMessage};

/// The most bytes that a line may have: 8 MiB, several times what params may have. A longer one is a bad line, and is
/// passed over without being kept.
pub const MAX_LINE: usize = 8 << 20;

/// The tasks of a text, line by line: each with the number of its line, from 1. Empty lines are passed over, and a bad
/// line stops nothing.
///
/// It blocks as its reader does.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    queue: Name,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The tasks of this text, for this named queue unless a line says another.
    pub fn new(reader: R, queue: Name) -> Self {
        Self { reader, queue, number: 0 }
    }

    /// The next line without its end, or `None` if it is too long.
    fn line(&mut self, line: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let limit = MAX_LINE as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', line)?;
        if line.last() == Some(&b'\n') || read <= MAX_LINE {
            return Ok(Some(read));
        }
        self.reader.skip_until(b'\n')?;
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<(u64, Result<TaskMessage, InvalidLine>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            let task = match self.line(&mut line) {
                Err(error) => return Some(Err(error)),
                Ok(Some(0)) => return None,
                Ok(None) => Err(InvalidLine::new(format!("it is longer than {MAX_LINE} bytes"))),
                Ok(Some(_)) if line.trim_ascii().is_empty() => continue,
                Ok(Some(_)) => str::from_utf8(&line)
                    .map_err(|error| InvalidLine::new(format!("it is not UTF-8: {error}")))
                    .and_then(|line| read(line.trim(), &self.queue)),
            };
            return Some(Ok((self.number, task)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &[u8]) -> Vec<(u64, bool)> {
        let lines = Lines::new(text, Name::DEFAULT_QUEUE).map(Result::unwrap);
        lines.map(|(number, task)| (number, task.is_ok())).collect()
    }

    #[test]
    fn a_bad_line_is_numbered_and_stops_nothing() {
        let text = b"{\"task\":\"a\"}\r\n\n  \nnot json\n\xff\n{\"task\":\"b\"}";
        assert_eq!(numbers(text), [(1, true), (4, false), (5, false), (6, true)]);
        assert_eq!(numbers(b""), []);
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory_and_the_next_is_read() {
        let mut text = vec![b'x'; 2 * MAX_LINE];
        text.extend_from_slice(b"\n{\"task\":\"a\"}\n");
        assert_eq!(numbers(&text), [(1, false), (2, true)]);
    }
}
