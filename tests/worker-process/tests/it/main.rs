//! A worker as a process: signals, what it says beside the queue, and its end.

mod child;
mod commands;
mod environment;
mod notify;
mod signals;
