//! Tests on a real redis-server, one of its own for each.

mod conformance;
mod look;
mod refusal;
mod server;
mod stage;
mod transitions;
mod waiting;
