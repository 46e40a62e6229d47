//! The values of options: each is checked where it is written, and the error lies on the literal.

use quote::ToTokens;
use std::time::Duration;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Result};

/// A name of a task or of a queue.
pub(super) fn name(kind: &str, value: &Expr) -> Result<LitStr> {
    let literal = string(value).ok_or_else(|| {
        Error::new_spanned(
            value,
            format!("a {kind}'s name is a string, such as \"extract\", not `{}`", shown(value)),
        )
    })?;
    match invalid_name(kind, &literal.value()) {
        Some(message) => Err(Error::new(literal.span(), message)),
        None => Ok(literal),
    }
}

/// Why `name` is none; `None` if it is fine.
pub(crate) fn invalid_name(kind: &str, name: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b);
    let valid = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
    (!valid).then(|| {
        format!(
            "`{}` is not a {kind}'s name: it has 1 to 64 characters out of A-Z a-z 0-9 _ . : / -",
            name.escape_debug()
        )
    })
}

/// A whole number from 0 to `max`.
pub(super) fn integer<N: TryFrom<u64> + Into<u64> + Copy>(option: &str, value: &Expr, max: N) -> Result<N> {
    let number = match value {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => literal.base10_parse::<u64>().ok(),
        _ => None,
    };
    number.filter(|number| *number <= max.into()).and_then(|number| number.try_into().ok()).ok_or_else(|| {
        let message =
            format!("`{option}` is a whole number from 0 to {}, not `{}`", max.into(), shown(value));
        Error::new_spanned(value, message)
    })
}

/// A duration above zero: a task that may run for no time could never succeed.
pub(super) fn timeout(value: &Expr) -> Result<Duration> {
    let timeout = duration(value)?;
    if timeout.is_zero() {
        return Err(Error::new_spanned(
            value,
            "a timeout is longer than zero; for no timeout leave the option out",
        ));
    }
    Ok(timeout)
}

pub(super) fn duration(value: &Expr) -> Result<Duration> {
    let text = string(value).map(|literal| literal.value());
    text.as_deref().and_then(parse_duration).ok_or_else(|| {
        let written = text.unwrap_or_else(|| shown(value));
        let written = written.escape_debug();
        let remedy = "write \"30s\", \"500ms\", \"5m\", \"2h\" or \"1d\"";
        Error::new_spanned(value, format!("`{written}` is not a duration; {remedy}"))
    })
}

fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

/// A path in a string, as serde and others write it.
pub(super) fn path(value: &Expr) -> Result<Path> {
    string(value).and_then(|literal| literal.parse().ok()).ok_or_else(|| {
        let message =
            format!("`crate` is a path in a string, such as \"my_crate::task_core\", not `{}`", shown(value));
        Error::new_spanned(value, message)
    })
}

fn string(value: &Expr) -> Option<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => Some(literal.clone()),
        _ => None,
    }
}

/// `value` as its author wrote it, or nearly: tokens print themselves with a space between any two.
fn shown(value: &Expr) -> String {
    let text = value.to_token_stream().to_string();
    if matches!(value, Expr::Lit(_)) { text } else { text.replace(' ', "") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn message<T>(result: Result<T>) -> String {
        result.err().expect("a mistake").to_string()
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let durations = [
            ("500ms", Duration::from_millis(500)),
            ("30s", Duration::from_secs(30)),
            ("5m", Duration::from_secs(300)),
            ("2h", Duration::from_secs(7200)),
            ("1d", Duration::from_secs(86_400)),
        ];
        for (text, expected) in durations {
            assert_eq!(parse_duration(text), Some(expected), "of {text}");
        }
        for text in
            ["", "s", "30", "30 s", "1.5s", "-1s", "1m30s", "30S", "99999999999999999999s", "300000000000d"]
        {
            assert_eq!(parse_duration(text), None, "of {text:?}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_how_one_is_written() {
        let remedy = "is not a duration; write \"30s\", \"500ms\", \"5m\", \"2h\" or \"1d\"";
        assert_eq!(message(duration(&parse_quote!("30 sec"))), format!("`30 sec` {remedy}"));
        assert_eq!(message(duration(&parse_quote!(30))), format!("`30` {remedy}"));
        assert_eq!(message(duration(&parse_quote!(30s))), format!("`30s` {remedy}"));
        assert_eq!(
            message(timeout(&parse_quote!("0s"))),
            "a timeout is longer than zero; for no timeout leave the option out"
        );
    }

    #[test]
    fn a_name_is_checked_as_the_queue_will() {
        let longest = "n".repeat(64);
        for text in ["a", "mail/send:v2.1-beta_3", longest.as_str()] {
            assert_eq!(invalid_name("task", text), None);
        }
        for text in ["", "big job", "größe", "a\n", "a=3", "n".repeat(65).as_str()] {
            assert!(invalid_name("task", text).is_some(), "{text:?} is no name");
        }
        assert_eq!(
            message(name("queue", &parse_quote!("big jobs"))),
            "`big jobs` is not a queue's name: it has 1 to 64 characters out of A-Z a-z 0-9 _ . : / -"
        );
        assert_eq!(
            message(name("task", &parse_quote!(Extract))),
            "a task's name is a string, such as \"extract\", not `Extract`"
        );
    }

    #[test]
    fn a_number_out_of_range_is_told_the_range() {
        assert_eq!(integer("priority", &parse_quote!(100), 100u8).unwrap(), 100);
        assert_eq!(integer("max_retries", &parse_quote!(1_000), u32::MAX).unwrap(), 1000);
        for (value, written) in
            [(parse_quote!(101), "101"), (parse_quote!(-1), "-1"), (parse_quote!("high"), "\"high\"")]
        {
            assert_eq!(
                message(integer("priority", &value, 100u8)),
                format!("`priority` is a whole number from 0 to 100, not `{written}`")
            );
        }
    }

    #[test]
    fn a_crate_is_a_path_in_a_string() {
        assert!(path(&parse_quote!("crate::tasks")).is_ok());
        assert_eq!(
            message(path(&parse_quote!("my crate"))),
            "`crate` is a path in a string, such as \"my_crate::task_core\", not `\"my crate\"`"
        );
    }
}
