//! Commands, as they are written.

/// Commands that travel in one write.
#[derive(Default)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    commands: usize,
}

impl Request {
    /// A single command.
    pub(crate) fn one(words: &[&str]) -> Self {
        let mut request = Self::default();
        request.command(words);
        request
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), commands: 0 }
    }

    /// One more command.
    pub(crate) fn command(&mut self, words: &[&str]) -> &mut Self {
        self.followed(words, 0, &[])
    }

    /// One more command, of whose words the last so many were [written](write_word) before.
    pub(crate) fn followed(&mut self, words: &[&str], more: usize, written: &[u8]) -> &mut Self {
        write_length(&mut self.bytes, b'*', words.len() + more);
        for word in words {
            write_word(&mut self.bytes, [word.as_bytes()]);
        }
        self.bytes.extend_from_slice(written);
        self.commands += 1;
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many answers there will be.
    pub(crate) fn commands(&self) -> usize {
        self.commands
    }
}

/// Writes a word of a command, given in parts.
pub(crate) fn write_word<const N: usize>(bytes: &mut Vec<u8>, parts: [&[u8]; N]) {
    write_length(bytes, b'$', parts.iter().map(|part| part.len()).sum());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(b"\r\n");
}

fn write_length(bytes: &mut Vec<u8>, kind: u8, length: usize) {
    let mut digits = [0; 20];
    bytes.push(kind);
    bytes.extend_from_slice(decimal(length as u64, &mut digits));
    bytes.extend_from_slice(b"\r\n");
}

/// The digits of a number, without a string.
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_with_their_lengths_in_front() {
        let mut written = Vec::new();
        write_word(&mut written, [b"a", b"", b"bc"]);
        let mut request = Request::one(&["PING"]);
        request.followed(&["ECHO"], 1, &written);
        assert_eq!(request.commands(), 2);
        assert_eq!(request.bytes(), b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n");
    }

    #[test]
    fn a_number_has_the_digits_that_it_has_elsewhere() {
        for number in [0, 7, 10, 1_764_000_000_123, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
