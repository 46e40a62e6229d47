//! The real binaries, as people start them.

mod bad_input;
mod batch;
mod command_line;
