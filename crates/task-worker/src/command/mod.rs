//! Command tasks: programs that a `tasks.toml` names, run directly, never through a shell.
//!
//! ```toml
//! [tasks.word_count]
//! command = ["wc", "-w", "--", "{path}"]
//! timeout = "30s"
//! ```

mod file;
mod keys;
mod nearest;
mod output;
mod process;
mod run;
mod spawn;
mod spec;
mod stderr;
mod template;

pub use file::{TaskFile, TaskFileError};
pub use keys::{Key, keys};
