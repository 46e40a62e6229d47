//! Frames: a journal is made of them. What one has was written and synced at once, and counts whole or not at all.
//!
//! | bytes | |
//! |---|---|
//! | 4 | how long the body is, little-endian |
//! | 4 | CRC-32 of these four bytes, so that a damaged length is not taken for one |
//! | 4 | CRC-32 of the body |
//! | … | the body |

/// What is before the body.
pub(crate) const HEADER: usize = 12;

/// A body with its header; `None` if it is too long for one, which is from 4 GiB on.
pub(crate) fn frame(body: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(body.len()).ok()?.to_le_bytes();
    let mut frame = Vec::with_capacity(HEADER + body.len());
    frame.extend(length);
    frame.extend(crc32fast::hash(&length).to_le_bytes());
    frame.extend(crc32fast::hash(body).to_le_bytes());
    frame.extend(body);
    Some(frame)
}

/// What lies at a place of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole frame, of which this is the body.
    Frame(&'a [u8]),
    /// The journal ends here.
    End,
    /// The beginning of a frame that was never finished, and so was never answered for: nothing comes behind it.
    Torn,
    /// No frame, although something comes behind it.
    Damaged(&'static str),
}

/// What begins where `rest` begins, which goes to the end of the journal.
pub(crate) fn read(rest: &[u8]) -> Found<'_> {
    if rest.is_empty() {
        return Found::End;
    }
    let Some((header, behind)) = rest.split_at_checked(HEADER) else { return Found::Torn };
    let (length, checksums) = header.split_at(4);
    let (of_length, of_body) = checksums.split_at(4);
    if crc32fast::hash(length).to_le_bytes() != of_length {
        // after a power cut a file may be longer than what was written into it, and has zeros there
        let never_written = rest.iter().all(|byte| *byte == 0);
        return if never_written { Found::Torn } else { Found::Damaged("a length has another checksum") };
    }
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let Some(body) = behind.get(..length) else { return Found::Torn };
    if crc32fast::hash(body).to_le_bytes() == of_body {
        Found::Frame(body)
    } else if behind.len() == length {
        Found::Torn
    } else {
        Found::Damaged("what is written has another checksum")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_breaks_off_anywhere_is_torn() {
        let whole = frame(b"a body").unwrap();
        assert_eq!(read(&whole), Found::Frame(b"a body"));
        assert_eq!(read(&[]), Found::End);
        for length in 1..whole.len() {
            assert_eq!(read(&whole[..length]), Found::Torn, "{length}");
        }
        assert_eq!(read(&[0; 4096]), Found::Torn);
    }

    #[test]
    fn a_frame_with_a_wrong_bit_and_something_behind_it_is_damaged_whichever_bit_it_is() {
        let whole = frame(b"a body").unwrap();
        for bit in 0..whole.len() * 8 {
            let mut wrong = [&whole[..], &whole].concat();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&wrong), Found::Damaged(_)), "bit {bit}");
        }
    }
}
