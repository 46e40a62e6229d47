//! MessagePack handed on to any serializer, above all to JSON's.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
    ser::{Error as _, SerializeMap, SerializeSeq},
};

use crate::payload::MAX_DEPTH;

/// Params or a result, as they travel, to be shown: binary data become base64, and keys of maps become text.
///
/// ```
/// # use task_core::{encode, Shown};
/// let bytes = encode(&("a", 1.5, [true]))?;
/// assert_eq!(serde_json::to_string(&Shown(&bytes))?, r#"["a",1.5,[true]]"#);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a [u8]);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(self.0);
        deserializer.set_max_depth(MAX_DEPTH);
        let value = Value::deserialize(&mut deserializer).map_err(S::Error::custom)?;
        value.serialize(serializer)
    }
}

/// Whatever MessagePack can say. Extension types show as their bytes.
pub(crate) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Seq(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Seq(values) => {
                let mut seq = serializer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(&key.as_key(), value))?;
                map.end()
            }
        }
    }
}

impl Value {
    fn as_key(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Signed(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::Seq(values) => values.iter().map(Self::as_key).collect::<Vec<_>>().join(","),
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| key.as_key() + "=" + &value.as_key())
                .collect::<Vec<_>>()
                .join(","),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer) // an extension type: a pair of its kind and its bytes
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Signed(value))
    }
    fn visit_f32<E>(self, value: f32) -> Result<Value, E> {
        // by way of its shortest text, so that 0.1 shows as 0.1
        Ok(Value::Float(value.to_string().parse().unwrap_or(f64::from(value))))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }
    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Text(BASE64.encode(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Seq(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0).min(1024));
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::encode;

    #[test]
    fn json_comes_back_unchanged() {
        let value =
            json!({"a": [1, -2, 0.5, "x", null, true], "b": {"c": {}}, "big": u64::MAX, "small": i64::MIN});
        let bytes = encode(&value).unwrap();
        assert_eq!(serde_json::to_value(Shown(&bytes)).unwrap(), value);
    }

    #[test]
    fn binary_shows_as_base64_and_keys_as_text() {
        let bytes = encode(&BTreeMap::from([(7, serde_bytes::Bytes::new(b"\x00\xff"))])).unwrap();
        assert_eq!(serde_json::to_value(Shown(&bytes)).unwrap(), json!({"7": "AP8="}));
        assert_eq!(serde_json::to_value(Shown(&encode(&0.1_f32).unwrap())).unwrap(), json!(0.1));
    }

    #[test]
    fn what_is_no_messagepack_is_an_error_and_no_panic() {
        assert!(serde_json::to_value(Shown(&[0xdc, 0xff])).is_err());
        assert!(serde_json::to_value(Shown(&[0x91; 4000])).is_err());
    }
}
