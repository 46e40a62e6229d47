//! The wire to a server: commands are written, answers read, in version 2 of its protocol (RESP).
//!
//! A connection belongs to whoever calls over it and is driven by nobody else. So a call is one write and one read by the
//! task that waits for it: no channel to a task that owns the socket, nobody to be woken in between, and an answer is
//! read once, into what the caller keeps. Against a client with such a task a single call takes a fifth less
//! (docs/performance.md).

mod connection;
mod decode;
mod error;
mod request;
mod stream;

#[cfg(test)]
pub(crate) use self::decode::decode_one;
pub(crate) use self::{
    connection::{Answer, Connection, Login, Run},
    decode::Value,
    error::{ServerError, WireError},
    request::{Request, decimal, write_word},
    stream::Address,
};
