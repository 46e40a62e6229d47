//! Ids and tokens as they are stored.

use std::fmt;

use base64::{
    Engine as _,
    alphabet::Alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use task_core::{QueueError, TaskId, Token};
use uuid::Uuid;

use crate::reply::corrupt;

// in the order of ASCII, so that ids sort in the store as they do as numbers
const ORDERED: Alphabet =
    match Alphabet::new("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") {
        Ok(alphabet) => alphabet,
        Err(_) => panic!("64 different characters"),
    };
const SHORT: GeneralPurpose = GeneralPurpose::new(
    &ORDERED,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// An id as it is stored: a UUID as 22 characters, which saves 14 in each structure, any other text behind a colon.
pub(crate) enum StoredId {
    Short([u8; SHORT_LEN]),
    Text(String),
}

const SHORT_LEN: usize = 22;

pub(crate) fn stored_id(id: &TaskId) -> StoredId {
    let mut short = [0; SHORT_LEN];
    match id.as_uuid() {
        Some(uuid) if SHORT.encode_slice(uuid.as_bytes(), &mut short).is_ok() => StoredId::Short(short),
        _ => StoredId::Text(format!(":{id}")),
    }
}

impl AsRef<[u8]> for StoredId {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Short(short) => short,
            Self::Text(text) => text.as_bytes(),
        }
    }
}

impl fmt::Display for StoredId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_ref()))
    }
}

/// The id that is stored so.
fn read_id(stored: &[u8]) -> Option<TaskId> {
    if let Some(text) = stored.strip_prefix(b":") {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let mut bytes = [0; 16];
    let length = SHORT.decode_slice(stored, &mut bytes).ok()?;
    (length == bytes.len()).then(|| TaskId::from(Uuid::from_bytes(bytes)))
}

/// An id that a script answered.
pub(crate) fn id_of(stored: impl AsRef<[u8]>) -> Result<TaskId, QueueError> {
    let stored = stored.as_ref();
    read_id(stored).ok_or_else(|| corrupt(&format!("`{}` is no stored id", stored.escape_ascii())))
}

/// A token as scripts compare it.
pub(crate) fn stored_token(token: &Token) -> String {
    format!("{}:{}", token.worker, token.claim)
}

/// The token that is stored so.
pub(crate) fn token_of(stored: &str) -> Result<Token, QueueError> {
    let token = stored
        .split_once(':')
        .and_then(|(worker, claim)| Some(Token::new(worker.parse().ok()?, claim.parse().ok()?)));
    token.ok_or_else(|| corrupt(&format!("`{}` is no stored token", stored.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_uuids_sort_as_they_do_as_numbers() {
        let ids =
            ["0190163d-8694-739b-aea5-966c26f8ad91", "f190163d-8694-739b-aea5-966c26f8ad91", "order-7", ":"];
        for text in ids {
            let id: TaskId = text.parse().unwrap();
            assert_eq!(read_id(stored_id(&id).as_ref()).unwrap(), id);
        }
        let stored: Vec<String> =
            ids[..2].iter().map(|text| stored_id(&text.parse().unwrap()).to_string()).collect();
        assert!(stored.is_sorted() && stored[0].len() == 22, "{stored:?}");
        for wrong in ["short", "0123456789012345678901234567", ""] {
            assert!(read_id(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
