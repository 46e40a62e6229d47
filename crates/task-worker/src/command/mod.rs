//! Command tasks: programs that a `tasks.toml` names, run directly, never through a shell.
#![allow(dead_code, reason = "the reader of tasks.toml and the runner that use these parts come next")]

mod keys;
mod nearest;
mod output;
mod template;

pub use keys::{Key, keys};
