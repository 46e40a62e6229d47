use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use task_worker::prelude::*;

/// What is in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How often each word occurs.
    pub words: BTreeMap<String, u64>,
}

/// Counts the words of a text, which takes its time where texts are long.
///
/// # Errors
/// An empty text is fatal: it is as empty the next time.
#[task(max_retries = 3, timeout = "60s")]
pub fn write_report(text: String) -> TaskResult<Report> {
    if text.trim().is_empty() {
        return Err(TaskError::fatal("the text is empty"));
    }
    let mut words = BTreeMap::new();
    for word in text.split_whitespace() {
        *words.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(Report { words })
}
