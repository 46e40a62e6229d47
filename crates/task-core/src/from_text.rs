use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize as _, Deserializer, de};

/// Reads what is written as its text, as ids, names and times are in every format.
pub(crate) fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}
