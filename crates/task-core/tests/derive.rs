//! The forms that params take.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use task_core::{RetryPolicy, TaskOptions, TaskParams};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize)]
struct Report {
    rows: u64,
}

#[derive(Serialize, Deserialize, TaskParams)]
#[task(name = "extract", alias = "scan", alias = "parse/v1", output = Report, queue = "slow", priority = 80)]
#[task(max_retries = 5, max_crashes = 0, backoff = "1s..1m", timeout = "1h 30m", retention = "1d")]
struct Extract {
    source: String,
}

#[test]
fn what_the_attributes_say_is_what_the_kind_of_task_says() {
    assert_eq!((Extract::NAME, Extract::ALIASES), ("extract", &["scan", "parse/v1"][..]));
    let options = TaskOptions::default()
        .queue("slow")
        .priority(80)
        .max_retries(5)
        .max_crashes(0)
        .backoff(RetryPolicy::exponential(SECOND, 60 * SECOND))
        .timeout(5400 * SECOND)
        .retention(86_400 * SECOND);
    assert_eq!(Extract::options(), options);
    let _: <Extract as TaskParams>::Output = Report { rows: 1 };
}

#[test]
fn without_attributes_the_name_is_the_type_s_and_all_else_the_default() {
    #[derive(Serialize, Deserialize, TaskParams)]
    struct HTTPFetch {}

    assert_eq!((HTTPFetch::NAME, HTTPFetch::ALIASES), ("http_fetch", &[][..]));
    assert_eq!(HTTPFetch::options(), TaskOptions::default());
    let _: <HTTPFetch as TaskParams>::Output = ();
}

#[test]
fn params_are_any_struct_or_enum_beside_other_attributes() {
    #[derive(Serialize, Deserialize, TaskParams)]
    #[serde(rename_all = "lowercase")]
    #[task(output = Result<u64, String>, backoff = "5s")]
    enum Import {
        File { path: String },
        Text(String),
    }

    #[derive(Serialize, Deserialize, task_core::TaskParams)]
    #[task(crate = "::task_core", output = (u8, Vec<u8>))]
    struct Pair(u32, u32);

    #[derive(Serialize, Deserialize, TaskParams)]
    #[task()]
    struct Unit;

    assert_eq!([Import::NAME, Pair::NAME, Unit::NAME], ["import", "pair", "unit"]);
    assert_eq!(Import::options().backoff, Some(RetryPolicy::fixed(5 * SECOND)));
    let file = task_core::encode(&Import::File { path: "a".into() }).unwrap();
    assert!(matches!(task_core::decode(&file).unwrap(), Import::File { path } if path == "a"));
    let text = task_core::encode(&Import::Text("b".into())).unwrap();
    assert!(matches!(task_core::decode(&text).unwrap(), Import::Text(text) if text == "b"));
    let pair = task_core::encode(&Pair(1, 2)).unwrap();
    assert!(matches!(task_core::decode(&pair).unwrap(), Pair(1, 2)));
}
