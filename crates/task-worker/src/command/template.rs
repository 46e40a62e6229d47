//! The arguments of a command, and how params fill them.

use std::ffi::OsString;

use serde_json::Value;
use task_core::{FailureKind, TaskError};

/// What Linux takes as one argument: 128 KiB with the NUL at its end (`MAX_ARG_STRLEN`).
const MAX_ARGUMENT: usize = 128 * 1024 - 1;

/// One argument of a command as `tasks.toml` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// Passed as it is.
    Literal(String),
    /// Filled with the param of this name, whole.
    Param(String),
}

impl Argument {
    /// `{name}` is a param and `{{name}}` the text `{name}`; everything else is literal, with all its braces.
    pub(super) fn parse(text: &str) -> Self {
        if let Some(name) = braced(text) {
            return Self::Param(name.to_owned());
        }
        let escaped =
            text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|t| braced(t).is_some());
        Self::Literal(escaped.unwrap_or(text).to_owned())
    }
}

/// The name in a text that is exactly `{name}`.
fn braced(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))).then_some(name)
}

/// The param that an argument like `--out={path}` seems to want filled in, which only a whole argument is.
pub(super) fn unfilled(text: &str) -> Option<&str> {
    let (before, value) = text.split_once('=')?;
    before.starts_with('-').then(|| braced(value)).flatten()
}

/// The arguments with their params filled in. A literal `--` ends the options: after it a value may begin with `-`.
///
/// # Errors
/// Fatal, with the param's name and the remedy, if a value is missing, no scalar, too long, has a NUL in it, or begins
/// with `-` where the program could take it for an option.
pub(super) fn fill(
    arguments: &[Argument],
    params: &Value,
    allow_dash: bool,
) -> Result<Vec<OsString>, TaskError> {
    let mut may_begin_with_dash = allow_dash;
    let mut filled = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument {
            Argument::Literal(text) => {
                may_begin_with_dash |= text == "--";
                filled.push(text.into());
            }
            Argument::Param(name) => {
                let text = value(name, params, may_begin_with_dash)
                    .map_err(|why| TaskError::fatal(why).stored_as(FailureKind::Params))?;
                filled.push(text.into());
            }
        }
    }
    Ok(filled)
}

fn value(name: &str, params: &Value, may_begin_with_dash: bool) -> Result<String, String> {
    let text = match params.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Null) => {
            return Err(format!("param `{name}` is null; the command needs a text, a number or a boolean"));
        }
        Some(Value::Array(_) | Value::Object(_)) => {
            let kind = if params[name].is_array() { "an array" } else { "an object" };
            return Err(format!(
                "param `{name}` is {kind}; only a text, a number or a boolean can fill an argument (all params also \
                 arrive as JSON on stdin)"
            ));
        }
        None if params.is_object() => {
            return Err(format!("param `{name}` is missing; enqueue the task with it"));
        }
        None => {
            return Err(format!(
                "param `{name}` is missing: the task's params are no object with named values"
            ));
        }
    };
    if text.contains('\0') {
        return Err(format!("param `{name}` has a NUL character in it, which no argument can hold"));
    }
    if text.len() > MAX_ARGUMENT {
        let length = text.len();
        return Err(format!(
            "param `{name}` has {length} bytes, and an argument may have {MAX_ARGUMENT}; read it from stdin, where the \
             params arrive as JSON"
        ));
    }
    if text.starts_with('-') && !may_begin_with_dash {
        let start: String = text.chars().take(32).collect();
        return Err(format!(
            "param `{name}` begins with `-` (`{}`), so the program could take it for an option; put \"--\" before it in \
             the command, or set allow_dash = true",
            start.escape_debug()
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use task_core::{ErrorKind, Failure};

    use super::*;

    fn filled(arguments: &[&str], params: &Value) -> Result<Vec<String>, String> {
        let arguments: Vec<_> = arguments.iter().map(|text| Argument::parse(text)).collect();
        match fill(&arguments, params, false) {
            Ok(filled) => Ok(filled.into_iter().map(|text| text.into_string().unwrap()).collect()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Fatal);
                assert_eq!(Failure::from(&error).kind, FailureKind::Params);
                Err(error.to_string())
            }
        }
    }

    #[test]
    fn a_param_fills_one_argument_whole() {
        let params =
            json!({"path": "a b; rm -rf $HOME `x` \"'\n*", "n": 7, "x": 1.5, "on": true, "batch-size": -1});
        assert_eq!(
            filled(&["{path}", "{n}", "{x}", "{on}", "--", "{batch-size}"], &params).unwrap(),
            ["a b; rm -rf $HOME `x` \"'\n*", "7", "1.5", "true", "--", "-1"]
        );
    }

    #[test]
    fn two_braces_escape_and_other_braces_mean_nothing() {
        let literal = ["{print $1}", "{}", "--out={path}", "{{print}}", "${HOME}", "{1}", "{{}}", "{{a b}}"];
        let expected = ["{print $1}", "{}", "--out={path}", "{print}", "${HOME}", "{1}", "{{}}", "{{a b}}"];
        assert_eq!(filled(&literal, &json!({"path": "x", "print": "y"})).unwrap(), expected);
    }

    #[test]
    fn an_option_with_a_param_in_it_is_noticed() {
        assert_eq!(unfilled("--out={path}"), Some("path"));
        assert_eq!(unfilled("--format={{id}}"), None);
        assert_eq!(unfilled("a={path}"), None);
    }

    #[test]
    fn a_value_that_a_program_could_take_for_an_option_needs_a_literal_dash_dash_before_it() {
        let params = json!({"path": "-rf", "end": "--"});
        let error = filled(&["{path}"], &params).unwrap_err();
        assert!(
            error.contains("param `path` begins with `-` (`-rf`)") && error.contains("allow_dash"),
            "{error}"
        );
        assert!(filled(&["{path}", "--"], &params).is_err());
        assert_eq!(filled(&["--", "{path}"], &params).unwrap(), ["--", "-rf"]);
        assert!(fill(&[Argument::parse("{path}")], &params, true).is_ok());
        // a `--` that comes from a param is a value like any other
        assert!(filled(&["{end}", "{path}"], &params).unwrap_err().contains("param `end`"));
    }

    #[test]
    fn what_can_be_no_argument_fails_by_the_name_of_its_param() {
        let params =
            json!({"nul": "a\0b", "long": "x".repeat(128 * 1024), "list": [1], "map": {}, "none": null});
        for (name, says) in [
            ("nul", "NUL"),
            ("long", "131072 bytes"),
            ("list", "an array"),
            ("map", "an object"),
            ("none", "null"),
            ("gone", "missing"),
        ] {
            let error = filled(&[&format!("{{{name}}}")], &params).unwrap_err();
            assert!(error.contains(&format!("param `{name}`")) && error.contains(says), "{error}");
        }
        assert!(filled(&["{a}"], &json!([1])).unwrap_err().contains("no object"));
    }

    #[test]
    fn the_longest_argument_is_filled_in() {
        assert!(filled(&["{long}"], &json!({"long": "x".repeat(128 * 1024 - 1)})).is_ok());
    }
}
