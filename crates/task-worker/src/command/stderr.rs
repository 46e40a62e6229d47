//! What a command prints on stderr: it tells there how far it is, and its last words say why it failed.

/// How much of the end is kept: with the words around it, it fits into a stored error of 2 KiB.
const TAIL: usize = 1900;

/// Takes the lines of progress out, and keeps the end of the rest.
#[derive(Default)]
pub(super) struct Log {
    /// The line that has not ended yet, as far as it may still be one of progress.
    line: Vec<u8>,
    tail: Vec<u8>,
}

impl Log {
    /// Takes in what was read, and tells of the last progress in it.
    pub(super) fn add(&mut self, bytes: &[u8], tell: impl FnOnce(f32, &str)) {
        let mut last = None;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            let ended = piece.ends_with(b"\n");
            match progress(&self.line).filter(|_| ended) {
                Some((fraction, note)) => last = Some((fraction, note.to_owned())),
                None if ended || self.line.len() > TAIL => self.tail.append(&mut self.line),
                None => continue,
            }
            self.line.clear();
        }
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        if let Some((fraction, note)) = last {
            tell(fraction, &note);
        }
    }

    /// The end of what it printed, without progress.
    pub(super) fn into_tail(mut self) -> Vec<u8> {
        self.tail.append(&mut self.line);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        self.tail
    }
}

/// `progress: 0.5` or `progress: 50%`, and a note behind it if there is one.
fn progress(line: &[u8]) -> Option<(f32, &str)> {
    let rest = std::str::from_utf8(line.strip_prefix(b"progress:")?).ok()?.trim();
    let (number, note) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let fraction = match number.strip_suffix('%') {
        Some(percent) => percent.parse::<f32>().ok()? / 100.0,
        None => number.parse().ok()?,
    };
    (0.0..=1.0).contains(&fraction).then(|| (fraction, note.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> (Vec<(f32, String)>, String) {
        let (mut log, mut told) = (Log::default(), Vec::new());
        for piece in pieces {
            log.add(piece.as_bytes(), |fraction, note| told.push((fraction, note.to_owned())));
        }
        (told, String::from_utf8(log.into_tail()).unwrap())
    }

    #[test]
    fn progress_is_taken_out_of_the_log_also_when_it_comes_in_pieces() {
        let (told, tail) =
            read(&["one\nprogr", "ess: 0.5 half of it\ntwo\n", "progress: 75%\nprogress: 80%\n"]);
        assert_eq!(told, [(0.5, "half of it".to_owned()), (0.8, String::new())]);
        assert_eq!(tail, "one\ntwo\n");
    }

    #[test]
    fn what_only_looks_like_progress_stays_in_the_log() {
        for line in
            ["progress: soon\n", "progress: 7\n", "progress: NaN\n", "in progress: 0.5\n", "progress: 0.5"]
        {
            assert_eq!(read(&[line]), (vec![], line.to_owned()));
        }
    }

    #[test]
    fn a_line_without_end_and_a_long_log_are_kept_by_their_last_bytes() {
        let (_, tail) = read(&["x".repeat(5000).as_str(), "end"]);
        assert_eq!((tail.len(), tail.ends_with("xend")), (TAIL, true));
        let (_, tail) = read(&["line\n".repeat(5000).as_str()]);
        assert_eq!(tail.len(), TAIL);
    }
}
