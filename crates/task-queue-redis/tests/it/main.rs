//! Tests on a real redis-server, one of its own for each.

mod access;
mod bounds;
mod conformance;
mod cost;
mod half_open;
mod inbox;
mod keyspace;
mod layout;
mod look;
mod outage;
mod refusal;
mod sentinel;
mod server;
mod stage;
mod suspects;
mod transitions;
mod waiting;
