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

/// One or several numbers with their units: `30s`, `1h 30m`.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = None;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) =
            after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            _ => return None,
        };
        total = Some(number.parse::<u64>().ok()?.checked_mul(millis)?.checked_add(total.unwrap_or(0))?);
        rest = after.trim_start();
    }
    total.map(Duration::from_millis)
}

/// The waits before retries: `"1s..10m"` doubles from the first to the last, `"5s"` is the same each time.
pub(super) fn backoff(value: &Expr) -> Result<(Duration, Option<Duration>)> {
    let text = string(value).map(|literal| literal.value());
    let parsed = text.as_deref().and_then(|text| match text.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (parse_duration(first)?, parse_duration(last)?);
            (first <= last).then_some((first, Some(last)))
        }
        None => Some((parse_duration(text)?, None)),
    });
    parsed.ok_or_else(|| {
        let written = text.unwrap_or_else(|| shown(value));
        let remedy = "write \"1s..10m\" for waits that double from 1s to 10m, or \"5s\" for equal ones";
        Error::new_spanned(value, format!("`{}` is not a backoff; {remedy}", written.escape_debug()))
    })
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
            ("1h 30m", Duration::from_secs(5400)),
            ("1m30s", Duration::from_secs(90)),
            ("0s", Duration::ZERO),
        ];
        for (text, expected) in durations {
            assert_eq!(parse_duration(text), Some(expected), "of {text}");
        }
        for text in [
            "",
            "s",
            "30",
            "30 s",
            "1.5s",
            "-1s",
            "30 sec",
            "1m and 1s",
            "30S",
            "µs",
            "99999999999999999999s",
            "300000000000d",
        ] {
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
    fn a_backoff_is_one_wait_or_two_of_which_the_last_is_longer() {
        let seconds = Duration::from_secs;
        assert_eq!(backoff(&parse_quote!("1s..10m")).unwrap(), (seconds(1), Some(seconds(600))));
        assert_eq!(backoff(&parse_quote!("5s")).unwrap(), (seconds(5), None));
        for wrong in ["10m..1s", "1s..", "..10m", "1s-10m", "1s...10m"] {
            assert!(
                message(backoff(&parse_quote!(#wrong)))
                    .starts_with(&format!("`{wrong}` is not a backoff; write"))
            );
        }
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
