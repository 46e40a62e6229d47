use rmp_serde::decode::Error as DecodeError;
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{error::BoxError, room};

/// How deep params and results may be nested.
pub const MAX_DEPTH: usize = 128;

/// What can travel through a queue: every type that serde can write and read, and that owns its data.
///
/// It is written as MessagePack with named fields, and human-readable: a `Uuid` travels as its text, so that it can
/// also come out of JSON. A `Vec<u8>` travels as an array of numbers; use `serde_bytes` for binary data.
///
/// The trait has no serde supertraits on purpose: with them a forgotten derive is reported as two long errors about
/// serde's traits, without them as the one below.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel through a queue: it is not `Serialize + Deserialize`",
    label = "not serializable, or it borrows",
    note = "if the type is yours, add `#[derive(Serialize, Deserialize)]` to it and let it own its data (`String`, not `&str`)",
    note = "if it comes from another crate, look for that crate's `serde` feature"
)]
pub trait Payload: Send + Sync + Sized + 'static {
    #[doc(hidden)]
    fn to_bytes(&self) -> Result<Vec<u8>, BoxError>;
    #[doc(hidden)]
    fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Payload for T {
    fn to_bytes(&self) -> Result<Vec<u8>, BoxError> {
        encode(self)
    }
    fn from_bytes(bytes: &[u8]) -> Result<Self, BoxError> {
        decode(bytes)
    }
}

/// Any value as MessagePack, as params and results travel.
///
/// # Errors
/// If the value can't be written: a map whose keys are no strings is fine, a type that serde refuses is not, nor one
/// that is nested deeper than [`MAX_DEPTH`].
pub fn encode(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, BoxError> {
    let (bytes, written) = room::filled(|bytes| {
        value.serialize(&mut rmp_serde::Serializer::new(bytes).with_struct_map().with_human_readable())
    });
    written?;
    check_depth(&bytes)?;
    Ok(bytes)
}

/// A value out of MessagePack, as params and results travel.
///
/// # Errors
/// If the bytes are no MessagePack, or not of that type; the error says where.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    Ok(T::deserialize(&mut deserializer)?)
}

fn check_depth(bytes: &[u8]) -> Result<(), BoxError> {
    if bytes.len() < MAX_DEPTH {
        return Ok(()); // each level takes a byte
    }
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(MAX_DEPTH);
    match <IgnoredAny as serde::Deserialize>::deserialize(&mut deserializer) {
        Err(DecodeError::DepthLimitExceeded) => Err(format!("it is nested deeper than {MAX_DEPTH}").into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_uuid_travels_as_its_text_so_that_json_and_rust_agree() {
        let uuid = uuid::Uuid::now_v7();
        let from_json = encode(&serde_json::Value::String(uuid.to_string())).unwrap();
        assert_eq!(encode(&std::net::Ipv4Addr::LOCALHOST).unwrap(), encode("127.0.0.1").unwrap());
        assert_eq!(decode::<String>(&from_json).unwrap(), uuid.to_string());
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_before_it_is_sent() {
        let deep = |n: usize| (0..n).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        assert!(encode(&deep(100)).is_ok());
        assert!(encode(&deep(200)).unwrap_err().to_string().contains("deeper than 128"));
    }

    #[test]
    fn fields_are_named_so_that_they_can_come_and_go() {
        #[derive(Serialize)]
        struct Old {
            source: &'static str,
        }
        let bytes = encode(&Old { source: "a" }).unwrap();
        assert_eq!(decode::<BTreeMap<String, String>>(&bytes).unwrap()["source"], "a");
    }
}
