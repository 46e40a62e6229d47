//! Makes new inputs out of those that are there.

use fastrand::Rng;

/// Bytes that end, begin or overflow something: of text, JSON, TOML, MessagePack, RESP, and numbers at their limits.
const TELLING: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xc0",
    b"\xc1",
    b"\xc4",
    b"\xc5\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xcb",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\0\0\0\0\0\0\0",
    b"\xdb\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xed\xa0\x80",
    b"\xc3\xa4",
    b"\xf0\x9f\xa6\x80",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[",
    b"{}",
    b"[]",
    b",",
    b":",
    b"=",
    b"'",
    b"\"\"\"",
    b"\n",
    b"\r\n",
    b"null",
    b"true",
    b"-",
    b"-0",
    b"0",
    b"-1",
    b"1e999",
    b"NaN",
    b"0x",
    b"255",
    b"256",
    b"65536",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999",
    b"0.0000000000001",
    b"1e308",
    b"9999-12-31T23:59:59.999Z",
    b"0000-01-01T00:00:00Z",
    b"+23:59",
    b"ms",
    b"y",
    b"%",
    b"%00",
    b"@",
    b"//",
    b"?",
    b"#",
    b"::1",
    b"$-1\r\n",
    b"*-1\r\n",
    b"$2147483647\r\n",
    b"*1\r\n",
    b":1\r\n",
];

pub(crate) struct Mutator(Rng);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// One of these, changed in a few places; `inputs` is not empty.
    pub(crate) fn next(&mut self, inputs: &[Vec<u8>], max: usize) -> Vec<u8> {
        let mut input = inputs[self.0.usize(..inputs.len())].clone();
        for _ in 0..1 << self.0.u32(..4) {
            self.change(&mut input, inputs);
        }
        input.truncate(max);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let range = self.range(input.len());
        match self.0.u8(..9) {
            0 | 1 => {
                let telling = TELLING[self.0.usize(..TELLING.len())];
                let end = if self.0.bool() { range.end } else { range.start };
                input.splice(range.start..end, telling.iter().copied());
            }
            2 => {
                if let Some(byte) = input.get_mut(range.start) {
                    *byte ^= 1 << self.0.u8(..8);
                }
            }
            3 => {
                if let Some(byte) = input.get_mut(range.start) {
                    *byte = self.0.u8(..);
                }
            }
            4 => drop(input.drain(range)),
            5 => input.truncate(range.start),
            6 => {
                let copy = input[range.clone()].to_vec();
                for _ in 0..1 << self.0.u32(..4) {
                    input.splice(range.start..range.start, copy.iter().copied());
                }
            }
            _ => {
                let other = &inputs[self.0.usize(..inputs.len())];
                let part = self.range(other.len());
                input.splice(range, other[part].iter().copied());
            }
        }
    }

    /// A short part of so many bytes.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.0.usize(..=length);
        let most = (length - start).min(1 << self.0.u32(..7));
        start..start + self.0.usize(..=most)
    }
}
