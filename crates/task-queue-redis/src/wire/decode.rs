//! Answers are read, as their bytes come in.

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::{ServerError, WireError};

/// An answer of a server, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Nil,
    Int(i64),
    /// Text or bytes: the protocol has several ways to write them.
    Bytes(Bytes),
    List(Vec<Value>),
    Error(ServerError),
}

/// The longest that a text may be: the server's own default limit.
const LONGEST: usize = 512 << 20;
/// How deep lists may lie in each other. Ours lie three deep.
const DEEPEST: usize = 16;
/// The longest line that begins a value: an error repeats a part of what was sent.
const LINE: usize = 64 << 10;
/// Room is made for so much before it has come.
const TRUSTED: usize = 1 << 20;

/// Reads values off a buffer, each byte once, however they arrive.
#[derive(Default)]
pub(crate) struct Decoder {
    /// The lists that are being read, the innermost last, and how many values each still misses.
    open: Vec<(Vec<Value>, usize)>,
    /// The length of a text whose bytes have not all come.
    text: Option<usize>,
}

/// What a line begins, or is.
enum Part {
    Value(Value),
    Text(usize),
    List(usize),
}

impl Decoder {
    /// The next whole value; none until more bytes have come.
    ///
    /// # Errors
    /// That these bytes are no answer. Nothing that follows them can be read.
    pub(crate) fn next(&mut self, bytes: &mut BytesMut) -> Result<Option<Value>, WireError> {
        loop {
            let value = match self.text {
                Some(length) => match text(bytes, length)? {
                    Some(text) => text,
                    None => return Ok(None),
                },
                None => match part(bytes)? {
                    None => return Ok(None),
                    Some(Part::Value(value)) => value,
                    Some(Part::Text(length)) => {
                        self.text = Some(length);
                        continue;
                    }
                    Some(Part::List(length)) => {
                        if self.open.len() == DEEPEST {
                            return Err(WireError::Malformed("lists too deep in each other"));
                        }
                        let room = length.min(TRUSTED / size_of::<Value>());
                        self.open.push((Vec::with_capacity(room), length));
                        continue;
                    }
                },
            };
            self.text = None;
            if let Some(whole) = self.add(value) {
                return Ok(Some(whole));
            }
        }
    }

    /// Adds a value to the list that it is of; answers what is whole with it.
    fn add(&mut self, mut value: Value) -> Option<Value> {
        while let Some((list, missing)) = self.open.last_mut() {
            list.push(value);
            *missing -= 1;
            if *missing > 0 {
                return None;
            }
            value = Value::List(std::mem::take(list));
            self.open.pop();
        }
        Some(value)
    }
}

/// Takes a line off the buffer.
fn part(bytes: &mut BytesMut) -> Result<Option<Part>, WireError> {
    let Some(end) = bytes.iter().take(LINE).position(|byte| *byte == b'\n') else {
        let long = bytes.len() >= LINE;
        return if long { Err(WireError::Malformed("a line without an end")) } else { Ok(None) };
    };
    let line = bytes[..end].strip_suffix(b"\r").and_then(|line| line.split_first());
    let (kind, line) = line.ok_or(WireError::Malformed("an empty line"))?;
    let part = match kind {
        b'$' => length(line, LONGEST)?.map_or(Part::Value(Value::Nil), Part::Text),
        b'*' => match length(line, usize::MAX)? {
            None => Part::Value(Value::Nil),
            Some(0) => Part::Value(Value::List(Vec::new())),
            Some(length) => Part::List(length),
        },
        b':' => Part::Value(Value::Int(integer(line)?)),
        b'+' => Part::Value(Value::Bytes(Bytes::copy_from_slice(line))),
        b'-' => Part::Value(Value::Error(ServerError::new(line))),
        _ => return Err(WireError::Malformed("it speaks another protocol")),
    };
    bytes.advance(end + 1);
    Ok(Some(part))
}

/// Takes a text and the end of its line off the buffer.
fn text(bytes: &mut BytesMut, length: usize) -> Result<Option<Value>, WireError> {
    let whole = length + 2;
    if bytes.len() < whole {
        bytes.reserve((whole - bytes.len()).min(TRUSTED));
        return Ok(None);
    }
    if &bytes[length..whole] != b"\r\n" {
        return Err(WireError::Malformed("a text of another length than it said"));
    }
    // a copy: what is kept for long is not to keep all that came with it
    let text = Bytes::copy_from_slice(&bytes[..length]);
    bytes.advance(whole);
    Ok(Some(Value::Bytes(text)))
}

fn integer(line: &[u8]) -> Result<i64, WireError> {
    let number = std::str::from_utf8(line).ok().and_then(|line| line.parse().ok());
    number.ok_or(WireError::Malformed("a number that is none"))
}

/// A length; none for −1, which stands for nil.
fn length(line: &[u8], longest: usize) -> Result<Option<usize>, WireError> {
    match integer(line)? {
        -1 => Ok(None),
        length => usize::try_from(length)
            .ok()
            .filter(|length| *length <= longest)
            .map(Some)
            .ok_or(WireError::Malformed("a length that can't be")),
    }
}

/// The first value of these bytes.
#[cfg(test)]
pub(crate) fn decode_one(bytes: &[u8]) -> Option<Value> {
    Decoder::default().next(&mut BytesMut::from(bytes)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: &[u8] = b"*6\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*0\r\n+OK\r\n*2\r\n*-1\r\n-ERR no\r\n$0\r\n\r\n";

    fn text(text: &'static str) -> Value {
        Value::Bytes(Bytes::from_static(text.as_bytes()))
    }

    fn each() -> [Value; 2] {
        let inner = Value::List(vec![Value::Nil, Value::Error(ServerError::new(b"ERR no"))]);
        let empty = Value::List(Vec::new());
        [Value::List(vec![Value::Int(-7), text("a\r\n"), Value::Nil, empty, text("OK"), inner]), text("")]
    }

    #[test]
    fn each_kind_of_value_is_read() {
        let (mut decoder, mut bytes) = (Decoder::default(), BytesMut::from(EACH));
        for value in each() {
            assert_eq!(decoder.next(&mut bytes).unwrap(), Some(value));
        }
        assert_eq!(decoder.next(&mut bytes).unwrap(), None);
        assert!(bytes.is_empty());
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive() {
        for size in 1..EACH.len() {
            let (mut decoder, mut bytes, mut values) = (Decoder::default(), BytesMut::new(), Vec::new());
            for chunk in EACH.chunks(size) {
                bytes.extend_from_slice(chunk);
                while let Some(value) = decoder.next(&mut bytes).unwrap() {
                    values.push(value);
                }
            }
            assert_eq!(values, each(), "in chunks of {size}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let endless = [b"+".to_vec(), vec![b'x'; LINE]].concat();
        let deep = b"*1\r\n".repeat(DEEPEST + 1);
        let wrong: [&[u8]; 9] = [
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\r\n",
            b":\n",
            b":x\r\n",
            b"$-2\r\n",
            b"$99999999999\r\n",
            b"$1\r\nabc",
            &endless,
            &deep,
        ];
        for bytes in wrong {
            let error = Decoder::default().next(&mut BytesMut::from(bytes)).unwrap_err();
            assert!(matches!(error, WireError::Malformed(_)), "{error}");
        }
    }

    #[test]
    fn no_room_is_made_for_what_was_only_announced() {
        let mut bytes = BytesMut::from(&b"*1000000000\r\n$500000000\r\nx"[..]);
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(&mut bytes).unwrap(), None);
        assert!(decoder.open[0].0.capacity() * size_of::<Value>() <= TRUSTED);
        assert!(bytes.capacity() <= 2 * TRUSTED);
    }
}
