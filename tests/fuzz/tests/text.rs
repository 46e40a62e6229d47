//! What people write: lines of JSON, `tasks.toml`, names, times, durations, URLs.

use std::{io::Cursor, str::FromStr};

use task_core::{
    Incarnation, Name, RetryPolicy, TaskId, TaskStatus, Timestamp, format_duration, jsonl, parse_duration,
    without_password,
};
use task_fuzz::Fuzz;
use task_worker::command::TaskFile;

#[test]
fn a_line_of_json_is_read_or_refused_and_what_was_read_can_be_written_and_read_again() {
    let full = r#"{"task": "word_count", "params": {"path": "a", "n": [1, 2.5]}, "id": "a", "delay": "5s", "priority": 80,
        "unique": "k", "max_retries": 2, "backoff": "1s..10m", "timeout": 30, "headers": {"a": "b"}, "retention": "1d"}"#;
    let other = r#"{"task":"a","params_base64":"gA==","at":"2026-01-31T18:00:00Z","expires_at":"2026-02-01T00:00:00Z"}"#;
    let nested = format!(r#"{{"task":"a","params":{}"#, "[".repeat(3000));
    let fuzz = Fuzz::new("jsonl").seed(full.replace('\n', " ")).seed(other).seed(nested);
    fuzz.run(|input| {
        let mut said = String::new();
        for line in jsonl::Lines::new(Cursor::new(input), Name::DEFAULT_QUEUE) {
            match line.expect("memory can be read").1 {
                Ok(message) => {
                    let line = jsonl::write(&message).expect("what was read can be written");
                    let again =
                        jsonl::read(&line, &Name::DEFAULT_QUEUE).expect("what was written can be read");
                    assert_eq!(again, message, "{line}");
                    said += "read";
                }
                Err(error) => said += &error.to_string(),
            }
        }
        said
    });
}

#[test]
fn a_tasks_file_is_read_or_refused_with_its_mistakes() {
    let file = "[defaults]\ntimeout = 5\nenv = { A = \"1\" }\n[tasks.word_count]\ncommand = [\"true\", \"--\", \"{path}\"]\n\
        max_retries = 1\nbackoff = \"2s\"\nfatal_codes = [65]\noutput = \"json\"\n[tasks.\"mail.out\"]\ncommand = [\"true\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.toml");
    Fuzz::new("tasks-file").seed(file).executions(2000).run(|input| {
        std::fs::write(&path, input).unwrap();
        let hide = folder.path().display().to_string();
        TaskFile::load(&path).map_or_else(|error| error.to_string().replace(&hide, ""), |_| "read".into())
    });
}

/// What it says of a text; a text that was read is the one that is shown.
fn exact<T: FromStr<Err: ToString> + ToString>(text: &str) -> String {
    match text.parse::<T>() {
        Ok(value) => {
            assert_eq!(value.to_string(), text);
            "read".into()
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn names_ids_and_incarnations_are_read_as_they_are_written_or_refused() {
    let fuzz =
        Fuzz::new("names").seed("word_count").seed("0190163d-8694-739b-aea5-966c26f8ad91").seed("order-7");
    fuzz.seed("0190163d8694739baea5966c26f8ad91.1").seed("COMPLETED").run(|input| {
        let text = String::from_utf8_lossy(input);
        let incarnation = text.parse::<Incarnation>().map(|incarnation| {
            assert_eq!(incarnation.to_string().parse(), Ok(incarnation));
        });
        let incarnation = incarnation.map_or_else(|error| error.to_string(), |()| "read".into());
        let status =
            text.parse::<TaskStatus>().map_or_else(|error| error.to_string(), |status| status.to_string());
        [exact::<Name>(&text), exact::<TaskId>(&text), incarnation, status].join("|")
    });
}

#[test]
fn times_and_durations_are_read_back_from_what_shows_them_or_refused() {
    let fuzz =
        Fuzz::new("times").seed("2026-01-31T18:00:00.123+01:00").seed("1h 30m").seed("0.5").seed("1s..10m");
    fuzz.run(|input| {
        let text = String::from_utf8_lossy(input);
        let time = text.parse::<Timestamp>().map(|time| assert_eq!(time.to_string().parse(), Ok(time)));
        let duration = parse_duration(&text).map(|duration| {
            let shown = format_duration(duration);
            let again = parse_duration(&shown).expect("what is shown can be read");
            assert_eq!(format_duration(again), shown);
        });
        let backoff = text.parse::<RetryPolicy>().map(|policy| {
            for attempt in [0, 1, 2, 31, 32, 33, 1000, u32::MAX] {
                let _ = policy.delay(attempt);
            }
        });
        let words = |result: Result<(), String>| result.err().unwrap_or_else(|| "read".into());
        [
            words(time.map_err(|error| error.to_string())),
            words(duration.map_err(|error| error.to_string())),
            words(backoff.map_err(|error| error.to_string())),
        ]
        .join("|")
    });
}

/// The last word of a URL's user is its password; whatever else the URL is, that must not be shown.
#[test]
fn a_url_is_shown_without_its_password() {
    let fuzz =
        Fuzz::new("urls").seed("redis://user:SECRET@host:6379/0?prefix=a").seed("rediss://:SECRET@host");
    fuzz.seed("redis+unix:///run/redis.sock?pass=SECRET").run(|input| {
        let noise: String = String::from_utf8_lossy(input).chars().filter(|c| !"@/?#".contains(*c)).collect();
        let url = format!("redis://user:SECRET{noise}@host:6379/0");
        assert!(!without_password(&url).contains("SECRET"), "{url}");
        without_password(&String::from_utf8_lossy(input))
    });
}
