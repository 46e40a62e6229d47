//! What the end-to-end tests share: programs started in folders of their own, and waiting for what they do.

mod command_line;
mod waiting;

pub use command_line::{Folder, Ran, Running};
pub use waiting::{PATIENCE, eventually, has_ended, line_of, signal};
