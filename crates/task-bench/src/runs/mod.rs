//! The runs, one a file.

pub(crate) mod bound;
pub(crate) mod delayed;
pub(crate) mod drain;
pub(crate) mod enqueue;
pub(crate) mod goals;
pub(crate) mod held;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod limit;
pub(crate) mod open_loop;
pub(crate) mod soak;
