//! Command tasks: programs that a `tasks.toml` names, run directly, never through a shell.

mod keys;
mod nearest;
mod output;
mod template;

pub use keys::{Key, keys};
