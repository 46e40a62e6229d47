use std::{
    collections::HashSet,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use task_core::Name;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

use super::{
    decode::{Decoder, Value},
    error::{ServerError, WireError},
    request::Request,
    stream::{Address, Stream},
};

/// What a server answered to a command.
pub(crate) type Answer = Result<Value, ServerError>;

/// The least room for what comes in.
const ROOM: usize = 16 << 10;
/// A buffer that has grown to this is not kept.
const KEPT: usize = 256 << 10;

/// Who we are at a server, and in which of its databases.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) db: i64,
}

/// A connection to a server.
pub(crate) struct Connection {
    stream: Stream,
    bytes: BytesMut,
    decoder: Decoder,
    /// How many answers are still to be read.
    owed: usize,
    /// In which run of the server it was made, if the server said so.
    pub(crate) run: Option<Arc<Run>>,
    leads_to_replica: bool,
}

/// A run of a server, as a connection knows it.
pub(crate) struct Run {
    /// The server's id of it.
    pub(crate) id: String,
    told: Mutex<HashSet<Name>>,
}

impl Run {
    /// What INFO says of it.
    fn of(said: &[u8]) -> Option<Self> {
        let said = String::from_utf8_lossy(said);
        let id = said.lines().find_map(|line| line.strip_prefix("run_id:"))?.to_owned();
        Some(Self { id, told: Mutex::default() })
    }

    /// The queues that heard of it over this connection.
    pub(crate) fn told(&self) -> MutexGuard<'_, HashSet<Name>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn over(stream: Stream) -> Self {
        let (bytes, decoder) = (BytesMut::new(), Decoder::default());
        Self { stream, bytes, decoder, owed: 0, run: None, leads_to_replica: false }
    }

    /// Connects, gives its name for whoever reads CLIENT LIST, and hears in which run the server is.
    pub(crate) async fn open(address: &Address, login: &Login, name: &str) -> Result<Self, WireError> {
        let stream = address.connect().await?;
        let mut connection = Self::over(stream);
        let mut hello = Request::default();
        match (&login.user, &login.password) {
            (Some(user), Some(password)) => hello.command(&["AUTH", user, password]),
            (None, Some(password)) => hello.command(&["AUTH", password]),
            (_, None) => &mut hello,
        };
        let logs_in = hello.commands();
        if login.db != 0 {
            hello.command(&["SELECT", &login.db.to_string()]);
        }
        let begins = hello.commands();
        hello.command(&["CLIENT", "SETNAME", name]).command(&["INFO", "server"]);
        connection.send(&hello).await?;
        // one by one: a server that takes nobody in says so and closes, and answers nothing else
        for n in 0..hello.commands() {
            match connection.next().await? {
                Value::Error(error) if n < logs_in && !error.is_full() => {
                    return Err(WireError::Login(error));
                }
                // a name is for people, and most know the run: a server that has none serves us all the same
                Value::Error(error) if n < begins || !error.is_closed_command() => {
                    return Err(WireError::Refused(error));
                }
                Value::Bytes(said) => connection.run = Run::of(&said).map(Arc::new),
                _ => {}
            }
        }
        Ok(connection)
    }

    /// Sends commands in one write, and reads the answer to each, in their order.
    ///
    /// # Cancel safety
    /// Not safe: what was sent is carried out, and the connection [can't be used](Self::is_usable) any more.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Vec<Answer>, WireError> {
        self.send(request).await?;
        let mut answers = Vec::with_capacity(request.commands());
        for _ in 0..request.commands() {
            answers.push(match self.next().await? {
                Value::Error(error) => {
                    self.leads_to_replica |= error.code() == "READONLY";
                    Err(error)
                }
                value => Ok(value),
            });
        }
        if self.bytes.is_empty() && self.bytes.try_reclaim(KEPT) {
            self.bytes = BytesMut::new();
        }
        Ok(answers)
    }

    /// Sends commands, whose answers are to be read one by one.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<(), WireError> {
        self.owed += request.commands();
        self.stream.write_all(request.bytes()).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The next that the server says.
    ///
    /// # Cancel safety
    /// Safe: what has come of it is kept.
    pub(crate) async fn next(&mut self) -> Result<Value, WireError> {
        loop {
            if let Some(value) = self.decoder.next(&mut self.bytes)? {
                self.owed = self.owed.saturating_sub(1);
                return Ok(value);
            }
            self.bytes.reserve(ROOM);
            if self.stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(
                    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection").into()
                );
            }
        }
    }

    /// Whether no answer is missing, and nothing came that nobody asked for.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.owed == 0 && self.bytes.is_empty()
    }

    /// Whether the server, a primary when it was made, said that it is a replica: another is the primary by now.
    pub(crate) fn leads_to_replica(&self) -> bool {
        self.leads_to_replica
    }

    /// Whether another may call over it: no answer is missing, and the server is a primary and has not closed it, as far as is known
    /// here.
    pub(crate) fn is_usable(&mut self) -> bool {
        let mut byte = [0];
        let mut unasked = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        let quiet = Pin::new(&mut self.stream).poll_read(&mut cx, &mut unasked);
        !self.leads_to_replica && self.owes_nothing() && matches!(quiet, Poll::Pending)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        time::{Duration, timeout},
    };

    use super::*;

    fn connected() -> (Connection, DuplexStream) {
        let (here, there) = duplex(1 << 16);
        (Connection::over(Box::new(here)), there)
    }

    async fn read(there: &mut DuplexStream, bytes: usize) {
        there.read_exact(&mut vec![0; bytes]).await.unwrap();
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_commands_and_errors_are_theirs_alone() {
        let (mut connection, mut there) = connected();
        let mut request = Request::one(&["A"]);
        request.command(&["B"]);
        there.write_all(b"-ERR no\r\n:2\r\n").await.unwrap();
        let answers = connection.ask(&request).await.unwrap();
        assert_eq!(answers, [Err(ServerError::new(b"ERR no")), Ok(Value::Int(2))]);
        assert!(connection.is_usable());
    }

    #[tokio::test]
    async fn a_call_that_was_dropped_leaves_a_connection_that_nobody_else_gets() {
        let (mut connection, mut there) = connected();
        let request = Request::one(&["A"]);
        let dropped = timeout(Duration::from_millis(10), connection.ask(&request)).await;
        assert!(dropped.is_err());
        read(&mut there, request.bytes().len()).await;
        there.write_all(b":1\r\n").await.unwrap();
        assert!(!connection.is_usable());
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_or_says_what_nobody_asked_for_is_noticed_without_a_call() {
        let (mut connection, there) = connected();
        assert!(connection.is_usable());
        drop(there);
        assert!(!connection.is_usable());
        let (mut connection, mut there) = connected();
        there.write_all(b"-ERR go away\r\n").await.unwrap();
        assert!(!connection.is_usable());
    }

    #[tokio::test]
    async fn a_connection_to_what_has_become_a_replica_is_not_used_again_and_one_with_another_error_is() {
        for (error, usable) in [("READONLY You can't write", false), ("MISCONF no disk", true)] {
            let (mut connection, mut there) = connected();
            there.write_all(format!("-{error}\r\n").as_bytes()).await.unwrap();
            assert!(connection.ask(&Request::one(&["A"])).await.unwrap()[0].is_err());
            assert_eq!((connection.is_usable(), connection.leads_to_replica()), (usable, !usable));
        }
    }

    #[tokio::test]
    async fn a_wait_for_the_next_value_can_be_dropped_in_the_middle_of_it() {
        let (mut connection, mut there) = connected();
        there.write_all(b"*2\r\n:1\r\n$3\r\na").await.unwrap();
        assert!(timeout(Duration::from_millis(10), connection.next()).await.is_err());
        there.write_all(b"bc\r\n").await.unwrap();
        let whole = Value::List(vec![Value::Int(1), Value::Bytes("abc".into())]);
        assert_eq!(connection.next().await.unwrap(), whole);
    }
}
