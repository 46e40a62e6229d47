//! Single values, each with what it must be.

use std::{ops::RangeInclusive, time::Duration};

use task_core::parse_duration;
use toml::de::DeValue;

use super::reader::{Reader, Value};

impl Reader<'_> {
    pub(super) fn codes(&mut self, value: &Value<'_>, place: &str, key: &str) -> Vec<i32> {
        let DeValue::Array(codes) = value.get_ref() else {
            self.mistyped(value, place, key, "an array of exit codes");
            return Vec::new();
        };
        codes.iter().filter_map(|code| self.number(code, place, key, 1..=255)).collect()
    }

    pub(super) fn number<N: TryFrom<i64>>(
        &mut self,
        value: &Value<'_>,
        place: &str,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Option<N> {
        let DeValue::Integer(number) = value.get_ref() else {
            self.mistyped(value, place, key, "a whole number");
            return None;
        };
        let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let fits = parsed.filter(|number| range.contains(number)).and_then(|number| N::try_from(number).ok());
        if fits.is_none() {
            let (min, max) = range.into_inner();
            self.wrong(value, format!("`{key}` in {place} is {number}; it is between {min} and {max}"));
        }
        fits
    }

    pub(super) fn boolean(&mut self, value: &Value<'_>, place: &str, key: &str) -> bool {
        let DeValue::Boolean(value) = value.get_ref() else {
            self.mistyped(value, place, key, "true or false");
            return false;
        };
        *value
    }

    pub(super) fn duration(&mut self, value: &Value<'_>, place: &str, key: &str) -> Option<Duration> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            _ => {
                self.mistyped(value, place, key, "a duration such as \"30s\"");
                return None;
            }
        };
        match parse_duration(&text) {
            Ok(duration) if !duration.is_zero() => Some(duration),
            Ok(_) => {
                self.wrong(value, format!("`{key}` in {place} is 0; leave it out for none"));
                None
            }
            Err(error) => {
                self.wrong(value, format!("`{key}` in {place}: {error}"));
                None
            }
        }
    }

    pub(super) fn string(&mut self, value: &Value<'_>, place: &str, key: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.contains('\0') => Some(text.to_string()),
            DeValue::String(_) => {
                self.wrong(value, format!("`{key}` in {place} has a NUL character in it"));
                None
            }
            _ => {
                self.mistyped(value, place, key, "a string");
                None
            }
        }
    }

    pub(super) fn strings(&mut self, value: &Value<'_>, place: &str, key: &str) -> Vec<String> {
        let DeValue::Array(values) = value.get_ref() else {
            self.mistyped(value, place, key, "an array of strings");
            return Vec::new();
        };
        values.iter().filter_map(|value| self.string(value, place, key)).collect()
    }

    pub(super) fn mistyped(&mut self, value: &Value<'_>, place: &str, key: &str, must: &str) {
        self.wrong(
            value,
            format!("`{key}` in {place} is {}, and must be {must}", value.get_ref().type_str()),
        );
    }
}
