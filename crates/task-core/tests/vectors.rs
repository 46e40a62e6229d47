//! What docs/wire.md tells those who write and read records in other languages, held to the code.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use task_core::{Name, TaskMessage, jsonl};

const VECTORS: &str = include_str!("wire/vectors.jsonl");

/// A task as a line of JSON, and its record; all bytes as hexadecimal digits.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Vector {
    line: serde_json::Value,
    record: String,
    fingerprint: String,
    lock: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(byte).collect()
}

fn message(line: &serde_json::Value) -> TaskMessage {
    jsonl::read(&line.to_string(), &Name::DEFAULT_QUEUE).unwrap()
}

/// A program in another language was written by these: a release that changes one breaks it.
#[test]
fn a_task_has_the_record_that_the_vectors_give_to_others() {
    let mut seen = BTreeSet::new();
    for row in VECTORS.lines() {
        let vector: Vector = serde_json::from_str(row).unwrap();
        let message = message(&vector.line);
        let now = Vector {
            record: hex(&message.to_record()),
            fingerprint: format!("{:016x}", message.fingerprint()),
            lock: message.lock(),
            line: vector.line.clone(),
        };
        assert!(now == vector, "the code says:\n{}", serde_json::to_string(&now).unwrap());
        let back = TaskMessage::from_record(
            message.queue.clone(),
            message.id.clone(),
            &bytes(&vector.record).into(),
        );
        assert_eq!(back.unwrap(), message, "{row}");
        seen.extend(vector.line.as_object().unwrap().keys().cloned());
    }
    for key in [
        "at",
        "backoff",
        "delay",
        "expires",
        "expires_at",
        "headers",
        "max_crashes",
        "max_retries",
        "params",
        "params_base64",
        "parent",
        "priority",
        "retention",
        "root",
        "timeout",
        "trace",
        "unique",
        "unique_in_queue",
    ] {
        assert!(seen.contains(key), "no vector has `{key}`");
    }
}

/// The keys of a record's map, which is MessagePack behind four bytes.
fn keys(record_in_hex: &str) -> BTreeSet<String> {
    let digits: String = record_in_hex.chars().filter(char::is_ascii_hexdigit).collect();
    let map = bytes(&digits)[4..].to_vec();
    let map: serde_json::Value = serde_json::to_value(task_core::Shown(&map)).unwrap();
    map.as_object().unwrap().keys().cloned().collect()
}

/// Of the rows `| `key` | …` below a heading.
fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = page.split_once(heading).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| row.split(" | ").next().unwrap().split(", "))
        .map(|key| key.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn the_page_lists_every_key_of_a_record() {
    let page = include_str!("../../../docs/wire.md");
    // these two records have all that can be said in version 1, but for what a failed task has not
    let mut result = keys(include_str!("wire/result-1.hex"));
    result.extend(["v", "ca", "du"].map(str::to_owned));
    assert_eq!(
        documented(page, "\n## A task"),
        keys(include_str!("wire/message-1.hex")).into_iter().chain(["a", "xd"].map(str::to_owned)).collect()
    );
    assert_eq!(documented(page, "\n## What is known of a task"), result);
}

/// The bytes that the page takes apart.
#[test]
fn the_example_of_the_page_is_a_record() {
    let page = include_str!("../../../docs/wire.md");
    let (_, example) = page.split_once("```text\n4d ").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let digits: String =
        example.lines().flat_map(|line| line.split("  ").next().unwrap().split(' ')).collect();
    let line = serde_json::json!({"task": "word_count", "params": {"path": "README.md"}, "id": "readme"});
    assert_eq!(format!("4d{digits}"), hex(&message(&line).to_record()));
}
