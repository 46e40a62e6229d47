//! Tasks in Rust: what a producer needs to enqueue them, and the code that a worker runs.
//!
//! The program is orchestrator and worker in one; from the folder of the repository:
//!
//! ```sh
//! cargo run -p example-rust-tasks -- --input examples/rust-tasks/jobs.jsonl --drain    # one batch, no server
//! cargo run -p example-rust-tasks -- -n 4 -q localhost:6379                            # four worker processes
//! ```

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use task_worker::prelude::*;

/// What is found in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Its lines.
    pub lines: usize,
    /// Its words.
    pub words: usize,
}

/// Counts a text of the library. It blocks, so it runs on the pool for such code; the library is state that a worker
/// has, and the queue does not carry.
///
/// # Errors
/// A name that leads out of the library is fatal, since to try it again can't help. A text that can't be read may be
/// there later, so that is tried again.
#[task(max_retries = 2, timeout = "30s")]
pub fn count_words(text: String, #[state] library: &Path) -> TaskResult<Counts> {
    if text.contains("..") || text.starts_with('/') {
        return Err(TaskError::fatal(format!("`{text}` leads out of the library")));
    }
    let text = fs::read_to_string(library.join(text))?;
    Ok(Counts { lines: text.lines().count(), words: text.split_whitespace().count() })
}

/// Counts many texts, each in a task of its own; these are enqueued when this one has succeeded, once, however often
/// it ran. Answers how many there are.
///
/// # Errors
/// If a text's name is too long to be enqueued.
#[task]
pub async fn count_all(texts: Vec<String>, ctx: TaskContext) -> TaskResult<usize> {
    let number = texts.len();
    for text in texts {
        ctx.enqueue(CountWords { text }).priority(20).await?;
    }
    Ok(number)
}
