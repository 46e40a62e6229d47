//! Records of messages and results, as they are stored.

use bytes::Bytes;
use task_core::{Name, ResultMessage, Shown, TaskId, TaskMessage, TaskOptions, WireError, encode};
use task_fuzz::Fuzz;

fn id() -> TaskId {
    "a".parse().unwrap()
}

fn message() -> TaskMessage {
    let mut options = TaskOptions::default();
    (options.priority, options.max_retries) = (Some(80), Some(5));
    options.timeout = Some(std::time::Duration::from_secs(30));
    options.headers = [("trace".to_owned(), "x".to_owned())].into();
    TaskMessage::new(id(), "word_count", encode(&("README.md", [1.5], true)).unwrap(), options).unwrap()
}

fn words(error: WireError) -> String {
    error.to_string()
}

#[test]
fn a_message_is_read_or_refused_and_what_was_read_is_written_again_as_it_is() {
    Fuzz::new("message").seed(message().to_record()).run(|input| {
        let read = |bytes: &Bytes| TaskMessage::from_record(Name::DEFAULT_QUEUE, id(), bytes);
        match read(&Bytes::copy_from_slice(input)) {
            Ok(message) => {
                let again = read(&message.to_record().into()).expect("what was read can be read");
                assert_eq!(again, message);
                shown(&message.params)
            }
            Err(error) => words(error),
        }
    });
}

#[test]
fn a_result_is_read_or_refused_and_what_was_read_is_written_again_as_it_is() {
    let record = ResultMessage::pending(&message(), task_core::Timestamp::from_millis(1_764_000_000_123));
    Fuzz::new("result").seed(record.to_record()).run(|input| {
        let read = |bytes: &Bytes| ResultMessage::from_record(Name::DEFAULT_QUEUE, id(), bytes);
        match read(&Bytes::copy_from_slice(input)) {
            Ok(record) => {
                let written = record.to_record();
                // by their bytes: a fraction may be no number, which equals nothing
                let again = read(&written.clone().into()).expect("what was read can be read");
                assert_eq!(again.to_record(), written);
                serde_json::to_string(&record)
                    .map_or_else(|error| error.to_string(), |_| record.status.to_string())
            }
            Err(error) => words(error),
        }
    });
}

#[test]
fn params_are_shown_or_refused_however_deep_they_are_nested() {
    let nested = [0x91].repeat(4000);
    Fuzz::new("params").seed(message().params.to_vec()).seed(nested).run(|input| {
        let typed = task_core::decode::<Vec<(String, u64)>>(input);
        typed.map_or_else(|error| format!("{error} and {}", shown(input)), |_| "typed".into())
    });
}

fn shown(params: &[u8]) -> String {
    serde_json::to_string(&Shown(params)).map_or_else(|error| error.to_string(), |_| "shown".into())
}
