use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    Name, RetryPolicy, TaskId, TaskMessage, Timestamp, format_duration, parse_duration, transcode::Value,
};

/// A line as it is written: every key that there is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) task: Name,
    // an explicit null is a value, and not the same as a missing key
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(super) params: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) params_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue_name: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "priority")]
    pub(super) priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delay: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unique: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unique_in_queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_retries: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_crashes: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retention: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) backoff: Option<Backoff>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) root: Option<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Out of range is told in the words of the key, not of a type.
fn priority<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let Some(number) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    let max = TaskMessage::MAX_PRIORITY;
    match u8::try_from(number).ok().filter(|priority| *priority <= max) {
        Some(priority) => Ok(Some(priority)),
        None => Err(de::Error::custom(format!("priority {number} is not between 0 and {max}"))),
    }
}

/// A duration as people write it: `"5s"`, or a number of seconds.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySpan;
        impl de::Visitor<'_> for AnySpan {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"5s\", or a number of seconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                parse_duration(text).map(Span).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Span, E> {
                self.visit_str(&seconds.to_string())
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Span, E> {
                self.visit_str(&seconds.to_string())
            }
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Span, E> {
                self.visit_str(&seconds.to_string())
            }
        }
        deserializer.deserialize_any(AnySpan)
    }
}

/// The waits before retries: an object, or a text as `--backoff` takes it.
#[derive(Clone, Copy)]
pub(super) struct Backoff(pub(super) RetryPolicy);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waits {
    initial: Span,
    max: Span,
    #[serde(default = "yes")]
    jitter: bool,
}

fn yes() -> bool {
    true
}

impl Serialize for Backoff {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (initial, max, jitter) = self.0.to_wire();
        let span = |millis| Span(Duration::from_millis(millis));
        Waits { initial: span(initial), max: span(max), jitter }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Backoff {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyBackoff;
        impl<'de> de::Visitor<'de> for AnyBackoff {
            type Value = Backoff;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"{"initial": "1s", "max": "10m"}, or a text such as "1s..10m" or "5s""#)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Backoff, E> {
                text.parse().map(Backoff).map_err(E::custom)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Backoff, A::Error> {
                let waits = Waits::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let policy = RetryPolicy::exponential(waits.initial.0, waits.max.0);
                Ok(Backoff(if waits.jitter { policy } else { policy.without_jitter() }))
            }
        }
        deserializer.deserialize_any(AnyBackoff)
    }
}
