//! What a server may answer, and what URLs may be: whatever bytes they are, they are read or refused.

use task_core::{Name, TaskMessage, TaskOptions, Timestamp};
use task_fuzz::Fuzz;

use crate::{ids, record, registration, reply::Reply, url, wire::decode_one};

fn words<T>(result: Result<T, impl ToString>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "read".into())
}

/// A bulk string, as the server writes it.
fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn list(values: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", values.len()).into_bytes(), values.concat()].concat()
}

#[test]
fn what_a_script_says_of_a_task_is_read_or_refused() {
    let message = TaskMessage::new("a".parse().unwrap(), "work", vec![0xc0], TaskOptions::default()).unwrap();
    let record = task_core::ResultMessage::pending(&message, Timestamp::from_millis(1)).to_record();
    let stored = message.to_record();
    let times = record::ended_times(Timestamp::from_millis(1_764_000_000_123), 5, "C");
    let ended = record::ended_parts(&times, &7_u64.to_be_bytes(), &record).concat();
    let more = [b"1", b"0", b"2", b"0", b"0"].map(|n: &[u8; 1]| bulk(n)).concat();
    let flat = [bulk(b":a"), bulk(&stored), more, bulk(&record), bulk(b"1764000000123")].concat();
    let live = [b"*9\r\n".to_vec(), flat].concat();
    let fuzz = Fuzz::new("redis-record")
        .seed(list(&[bulk(b":a"), bulk(&ended)]))
        .seed(list(&[bulk(b":a"), bulk(b"GC12345678")]))
        .seed(list(&[bulk(b":a"), bulk(&stored)]))
        .seed(live);
    fuzz.run(|input| match decode_one(input) {
        Some(value) => {
            let seen = record::read(&Name::DEFAULT_QUEUE, value);
            words(seen.map(|seen| (seen.identity(), seen.lookup(Timestamp::from_millis(2)))))
        }
        None => "no reply".into(),
    });
}

#[test]
fn an_answer_is_read_as_whatever_is_expected_or_refused() {
    let about = b"\x96\xa1w\xa4here\x07\x03\x91\xa4work\xcd\x2e\xe0";
    let worker = list(&[
        bulk(b"0190163d8694739baea5966c26f8ad91.1"),
        bulk(about),
        bulk(b"1764000000123,1"),
        b":1764000012123\r\n".to_vec(),
    ]);
    Fuzz::new("redis-reply").seed(worker).seed(&b"*3\r\n:-1\r\n$4\r\n1e99\r\n*0\r\n"[..]).run(|input| {
        let Some(value) = decode_one(input) else { return "no reply".into() };
        let read = |value| -> Result<String, task_core::QueueError> {
            let mut reply = Reply::new(value)?;
            while !reply.is_empty() {
                reply.number()?;
                reply.flag()?;
                ids::id_of(&reply.text()?)?;
                ids::token_of(&reply.text()?)?;
                reply.list()?;
            }
            Ok("read".into())
        };
        let worker = Reply::new(value.clone()).and_then(registration::read);
        let worker = worker.map_or_else(|error| error.to_string(), |worker| worker.is_some().to_string());
        worker + &read(value).unwrap_or_else(|error| error.to_string())
    });
}

#[test]
fn a_url_is_read_or_refused_without_its_password_in_the_words() {
    let fuzz = Fuzz::new("redis-url")
        .seed("redis://user:pass@host:6379/0?prefix=a&protocol=resp3")
        .seed("localhost:1");
    fuzz.seed("redis+unix:///run/redis.sock?db=1&pass=x").seed("rediss://[::1]:6380/#insecure").run(
        |input| {
            let text = String::from_utf8_lossy(input);
            let noise: String = text.chars().filter(|c| !"@/?#".contains(*c)).collect();
            let secret = url::parse(&format!("redis://user:SECRET{noise}@host:6379/0"), |_| None);
            assert!(!words(secret.map(|target| target.shown)).contains("SECRET"), "{noise}");
            let read = url::parse(&text, |_| None);
            format!("{} {}", url::accepts(&text), words(read.map(|target| target.shown)))
        },
    );
}
