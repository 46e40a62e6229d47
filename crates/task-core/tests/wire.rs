//! Records of version 1 stay readable, in both directions. The bytes in `wire/` are checked in and never change: a
//! release that can't read them, or writes something that they don't say, breaks running fleets.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use task_core::{
    AttemptError, Failure, FailureKind, Name, Progress, ResultMessage, RetryPolicy, TaskId, TaskMessage,
    TaskOptions, TaskStatus, Timestamp, WireError, encode,
};

const MESSAGE: &str = include_str!("wire/message-1.hex");
const MESSAGE_SMALL: &str = include_str!("wire/message-small-1.hex");
const RESULT: &str = include_str!("wire/result-1.hex");

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(|b| b.is_ascii_hexdigit()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.chunks(40).map(|line| line.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n").collect()
}

fn id() -> TaskId {
    "order-7".parse().unwrap()
}

fn queue() -> Name {
    "mail".parse().unwrap()
}

/// A message that says all that one can say in version 1.
fn message() -> TaskMessage {
    #[derive(Serialize)]
    struct Extract {
        source: &'static str,
        batch_size: u32,
    }
    let options = TaskOptions::default()
        .queue("mail")
        .priority(80)
        .delay(Duration::from_millis(1_500))
        .expires_at(Timestamp::from_millis(1_800_000_000_000))
        .unique_in_queue("order-7")
        .max_retries(5)
        .max_crashes(1)
        .backoff(RetryPolicy::exponential(Duration::from_secs(2), Duration::from_secs(60)))
        .timeout(Duration::from_secs(30))
        .retention(Duration::from_secs(3_600))
        .header("asked-by", "ann");
    let params = encode(&Extract { source: "a.csv", batch_size: 100 }).unwrap();
    let mut message = TaskMessage::new(id(), "extract", params, options).unwrap();
    message.enqueued_at = Some(Timestamp::from_millis(1_764_000_000_123));
    message.parent = Some("order-6".parse().unwrap());
    message.root = Some("order-1".parse().unwrap());
    message.trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    message.reserved.get_or_insert_default().ordering_key = Some("ann".into());
    message.reserved.get_or_insert_default().limit_key = Some("mail".into());
    message.reserved.get_or_insert_default().cost = Some(2);
    message.reserved.get_or_insert_default().deadline = Some(Timestamp::from_millis(1_800_000_000_001));
    message.reserved.get_or_insert_default().payload_ref = Some("s3://b/k".into());
    message.reserved.get_or_insert_default().tenant = Some("acme".into());
    message.reserved.get_or_insert_default().schema_hash = Some(7);
    message
}

fn result() -> ResultMessage {
    let mut record = ResultMessage::pending(&message(), Timestamp::from_millis(1_764_000_000_123));
    record.status = TaskStatus::Failed;
    record.error = Some(Failure::new(FailureKind::Timeout, "took longer than 30s"));
    record.attempts = 3;
    record.failures = 2;
    record.crashes = 1;
    record.releases = 4;
    record.generation = 1;
    record.started_at = Some(Timestamp::from_millis(1_764_000_001_000));
    record.finished_at = Some(Timestamp::from_millis(1_764_000_031_000));
    record.worker = Some("worker_1".into());
    record.progress = Some(Progress::new(0.5, "half", Timestamp::from_millis(1_764_000_015_000)));
    let failure = Failure::new(FailureKind::Error, "no route");
    record.errors =
        vec![AttemptError::new(1, Timestamp::from_millis(1_764_000_000_500), Some("w".into()), failure)];
    record
}

#[test]
fn a_new_reader_reads_what_an_old_writer_wrote() {
    assert_eq!(TaskMessage::from_record(queue(), id(), &bytes(MESSAGE)).unwrap(), message());
    assert_eq!(ResultMessage::from_record(queue(), id(), &bytes(RESULT)).unwrap(), result());
    let small = TaskMessage::from_record(Name::DEFAULT_QUEUE, id(), &bytes(MESSAGE_SMALL)).unwrap();
    assert_eq!(small, TaskMessage::new(id(), "ping", encode(&()).unwrap(), TaskOptions::default()).unwrap());
}

#[test]
fn an_old_reader_reads_what_a_new_writer_wrote() {
    // what this release writes, an old one reads if it is what the old one wrote, byte for byte
    assert_eq!(hex(&message().to_record()), hex(&bytes(MESSAGE)));
    assert_eq!(hex(&result().to_record()), hex(&bytes(RESULT)));

    // a later release adds a field: the map's head grows by one, and the field stands at its end
    let mut newer = bytes(MESSAGE_SMALL).to_vec();
    assert_eq!(newer[4] & 0xf0, 0x80, "the map is a small one");
    newer[4] += 1;
    newer.extend_from_slice(&encode("zz").unwrap());
    newer.extend_from_slice(&encode(&vec![1, 2, 3]).unwrap());
    assert_eq!(TaskMessage::from_record(queue(), id(), &newer.into()).unwrap().name, "ping");
}

#[test]
fn a_record_of_a_newer_version_is_told_from_a_damaged_one() {
    let mut newer = bytes(MESSAGE).to_vec();
    newer[1] = 2;
    let read = |record: &[u8]| TaskMessage::from_record(queue(), id(), &Bytes::copy_from_slice(record));
    assert_eq!(read(&newer), Err(WireError::Newer { found: 2 }));
    for damaged in
        [&[][..], b"M", b"R\x01\x32\x03\x80", &newer[..0], b"M\x01\x32\x03\xff", &bytes(MESSAGE)[..60]]
    {
        assert!(matches!(read(damaged), Err(WireError::Damaged(_))), "{damaged:?}");
    }
}

/// Writes the bytes of version 1 anew: only for when a version of the wire is made.
#[test]
fn the_bytes_are_there() {
    if std::env::var_os("WRITE_WIRE_BYTES").is_some() {
        let small = TaskMessage::new(id(), "ping", encode(&()).unwrap(), TaskOptions::default()).unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/");
        for (name, record) in [
            ("message-1", message().to_record()),
            ("message-small-1", small.to_record()),
            ("result-1", result().to_record()),
        ] {
            std::fs::write(format!("{folder}{name}.hex"), hex(&record)).unwrap();
        }
    }
    assert!(
        [MESSAGE, MESSAGE_SMALL, RESULT].iter().all(|hex| !hex.is_empty()),
        "run with WRITE_WIRE_BYTES=1"
    );
}
