//! Keeps N workers alive: settings, and the supervisor of worker processes.
#![expect(
    dead_code,
    reason = "the commands that use the supervisor and the settings follow with the worker library"
)]

mod batch;
mod cli;
mod closed_set;
mod connect;
mod crew;
mod exit;
mod logging;
mod settings;
mod signals;
mod supervisor;
mod work;
