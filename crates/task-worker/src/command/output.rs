//! What a command printed, as the task's result.

use bytes::Bytes;
use serde_json::Value;
use task_core::{FailureKind, TaskError, encode};

/// The most that a command may print as its result, in bytes.
pub(super) const MAX_OUTPUT: usize = 1024 * 1024;

/// What a command's stdout means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OutputRule {
    /// JSON where it surely is, else text.
    #[default]
    Auto,
    /// JSON, or the task fails.
    Json,
    /// Text.
    Text,
}

impl OutputRule {
    pub(super) const NAMES: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("json", Self::Json), ("text", Self::Text)];

    /// The result, as MessagePack; nothing at all is null. Bytes that are no UTF-8 show as U+FFFD in text.
    ///
    /// # Errors
    /// Fatal, if the result must be JSON and is not, or is nested too deep.
    pub(super) fn result(self, stdout: &[u8]) -> Result<Bytes, TaskError> {
        let value = if stdout.is_empty() {
            Value::Null
        } else {
            match self {
                Self::Json => json(stdout).map_err(unusable)?,
                Self::Text => text(stdout),
                Self::Auto => {
                    json(stdout).ok().filter(|v| surely_json(v, stdout)).unwrap_or_else(|| text(stdout))
                }
            }
        };
        let bytes = encode(&value)
            .map_err(|error| unusable(format!("the command's result can't be stored: {error}")))?;
        Ok(bytes.into())
    }
}

/// The command printed more than a result may have.
pub(super) fn too_much() -> TaskError {
    unusable(format!(
        "the command printed more than {MAX_OUTPUT} bytes on stdout; let it write to a file and print the file's name"
    ))
}

fn unusable(why: String) -> TaskError {
    TaskError::fatal(why).stored_as(FailureKind::Result)
}

fn text(stdout: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(stdout).trim_end_matches(['\r', '\n']).to_owned())
}

fn json(stdout: &[u8]) -> Result<Value, String> {
    let value = serde_json::from_slice(stdout).map_err(|error| {
        let start: String = String::from_utf8_lossy(stdout).chars().take(64).collect();
        format!(
            "output = \"json\", but stdout is no JSON: {error}; it begins with `{}`",
            start.escape_debug()
        )
    })?;
    match too_long_integer(stdout) {
        Some(number) => {
            Err(format!("stdout has the number {number}, which 64 bits can't hold; print it as a string"))
        }
        None => Ok(value),
    }
}

/// Texts like `true`, `null` or `"done"` are words as often as JSON, and a number may be a version (`1.10`) or an id
/// (`007`): it is a number only if it would print the same.
fn surely_json(value: &Value, stdout: &[u8]) -> bool {
    match value {
        Value::Object(_) | Value::Array(_) => true,
        Value::Number(number) => number.to_string().as_bytes() == stdout.trim_ascii(),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// An integer in valid JSON that would lose its last digits as a float.
fn too_long_integer(json: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(json).ok()?;
    // every second part lies between quotes, once the escaped ones are out of the way
    let unescaped = |part: &&str| (part.len() - part.trim_end_matches('\\').len()).is_multiple_of(2);
    let mut in_string = false;
    for part in text.split('"') {
        if !in_string {
            let tokens = part.split(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
            let integers =
                tokens.filter(|t| t.ends_with(|c: char| c.is_ascii_digit()) && !t.contains(['.', 'e', 'E']));
            if let Some(lost) = { integers }.find(|t| t.parse::<u64>().is_err() && t.parse::<i64>().is_err())
            {
                return Some(lost);
            }
        }
        in_string ^= !in_string || unescaped(&part);
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use task_core::{ErrorKind, Failure, decode};

    use super::*;

    fn result(rule: OutputRule, stdout: &str) -> Value {
        decode(&rule.result(stdout.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn auto_takes_what_surely_is_json_and_else_text() {
        let cases = [
            ("{\"a\": [1, 2.5]}\n", json!({"a": [1, 2.5]})),
            ("[]", json!([])),
            ("12\n", json!(12)),
            ("-0.5", json!(-0.5)),
            ("1.10\n", json!("1.10")),
            ("007", json!("007")),
            ("-0", json!("-0")),
            ("1e400", json!("1e400")),
            ("123456789012345678901234567890", json!("123456789012345678901234567890")),
            ("[123456789012345678901234567890]", json!("[123456789012345678901234567890]")),
            ("true\n", json!("true")),
            ("null", json!("null")),
            ("\"quoted\"", json!("\"quoted\"")),
            ("{not json}\n", json!("{not json}")),
            ("{\"a\": 1} {\"b\": 2}", json!("{\"a\": 1} {\"b\": 2}")),
            ("  7 README.md\r\n", json!("  7 README.md")),
            ("", json!(null)),
            ("\n", json!("")),
        ];
        for (stdout, expected) in cases {
            assert_eq!(result(OutputRule::Auto, stdout), expected, "for {stdout:?}");
        }
    }

    #[test]
    fn text_is_text_whatever_it_looks_like() {
        assert_eq!(result(OutputRule::Text, "[1]\n\n"), json!("[1]"));
        assert_eq!(result(OutputRule::Text, ""), json!(null));
        let latin: Value = decode(&OutputRule::Text.result(b"caf\xe9").unwrap()).unwrap();
        assert_eq!(latin, json!("caf\u{fffd}"));
    }

    #[test]
    fn json_must_be_json() {
        assert_eq!(result(OutputRule::Json, "\"done\"\n"), json!("done"));
        assert_eq!(result(OutputRule::Json, ""), json!(null));
        for (stdout, says) in
            [("done\n", "begins with `done\\n`"), ("{\"id\": 123456789012345678901}", "64 bits")]
        {
            let error = OutputRule::Json.result(stdout.as_bytes()).unwrap_err();
            assert_eq!((error.kind(), Failure::from(&error).kind), (ErrorKind::Fatal, FailureKind::Result));
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn an_integer_is_too_long_only_outside_of_strings() {
        let long = "123456789012345678901";
        assert_eq!(too_long_integer(format!(r#"{{"a\\": {long}}}"#).as_bytes()), Some(long));
        assert_eq!(too_long_integer(format!(r#"{{"a\"b {long}": 1, "c": "{long}"}}"#).as_bytes()), None);
        assert_eq!(
            too_long_integer(format!(r#"["\\\"", {long}.5, 1e30, {}, {}]"#, u64::MAX, i64::MIN).as_bytes()),
            None
        );
        assert_eq!(too_long_integer(format!("[-{long}]").as_bytes()), Some(&*format!("-{long}")));
    }
}
