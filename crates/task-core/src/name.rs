use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a queue or of a kind of task: 1–64 characters of `A-Z a-z 0-9 _ . : / -`.
///
/// Cheap to clone, and valid once it exists, so that backends may build keys and file names out of it.
///
/// ```
/// # use task_core::Name;
/// let name: Name = "mail/outgoing".parse()?;
/// assert_eq!(name, "mail/outgoing");
/// assert!("two words".parse::<Name>().is_err());
/// # Ok::<(), task_core::InvalidName>(())
/// ```
#[derive(Clone)]
pub struct Name(Text);

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

/// The longest name, in characters.
const MAX_LEN: usize = 64;

/// A text that is no [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a name: a name has 1 to {MAX_LEN} characters of A-Z a-z 0-9 _ . : / -", .0.escape_debug())]
pub struct InvalidName(String);

impl Name {
    /// The named queue where there is no other: `tasks`.
    pub const DEFAULT_QUEUE: Self = Self(Text::Static("tasks"));

    /// A name written in the code; nothing is allocated.
    ///
    /// # Errors
    /// If it is empty, too long, or has another character than those of a name.
    pub fn from_static(name: &'static str) -> Result<Self, InvalidName> {
        check(name)?;
        Ok(Self(Text::Static(name)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(name) => name,
            Text::Shared(name) => name,
        }
    }
}

fn check(name: &str) -> Result<(), InvalidName> {
    let fits = (1..=MAX_LEN).contains(&name.len());
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b);
    if fits && name.bytes().all(known) {
        Ok(())
    } else {
        Err(InvalidName(name.chars().take(2 * MAX_LEN).collect()))
    }
}

impl FromStr for Name {
    type Err = InvalidName;
    fn from_str(name: &str) -> Result<Self, InvalidName> {
        check(name)?;
        Ok(Self(Text::Shared(name.into())))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::from_text::from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_64_known_characters() {
        for good in ["a", "mail/outgoing", "v1:x.y_z-0", &"n".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap(), good);
        }
        for bad in ["", "two words", "naïve", "a\nb", "{tasks}", &"n".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_error_shows_control_characters_escaped() {
        assert!(
            "a\x1b[2J".parse::<Name>().unwrap_err().to_string().starts_with("`a\\u{1b}[2J` is not a name")
        );
    }
}
