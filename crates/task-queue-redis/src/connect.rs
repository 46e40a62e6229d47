//! Connections: a pool for short commands, and connections of their own for those that block.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use deadpool_redis::{
    Manager, Pool, Runtime,
    redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value, aio::MultiplexedConnection},
};
use task_core::{Name, QueueError};
use tokio::time::timeout;

use crate::{
    clock::Clock,
    error::{at_connect, meaning},
    script::{Call, Script},
    url::Target,
};

/// To make a connection, with TLS and login.
const CONNECT: Duration = Duration::from_secs(3);
/// To get one of the pool.
const POOL_WAIT: Duration = Duration::from_secs(5);
/// For the answer to a short command. The library's default of 500 ms is switched off: it also hits commands that block.
const ANSWER: Duration = Duration::from_secs(5);
/// How much later than its own timeout a blocking command may answer before its connection is given up.
const LATE: Duration = Duration::from_secs(2);
/// How many connections the pool has at most.
const POOL_SIZE: usize = 16;
/// How many connections for blocking commands are kept for later.
const IDLE_BLOCKING: usize = 16;

/// All connections to one server.
pub(crate) struct Link {
    pub(crate) target: Target,
    pub(crate) clock: Clock,
    client: Client,
    pool: Pool,
    blocking: Mutex<Vec<MultiplexedConnection>>,
    used: Mutex<HashSet<Name>>,
}

fn settings() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None)
}

impl Link {
    pub(crate) fn new(target: Target) -> Result<Self, QueueError> {
        let wrong =
            |_| QueueError::invalid(format!("`{}` can't be connected to in this build", target.shown));
        let client = Client::open(target.info.clone()).map_err(wrong)?;
        let manager = Manager::new_with_config(target.info.clone(), settings()).map_err(wrong)?;
        let pool = Pool::builder(manager)
            .max_size(POOL_SIZE)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(ANSWER))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(QueueError::unreachable)?;
        Ok(Self {
            target,
            clock: Clock::new(),
            client,
            pool,
            blocking: Mutex::default(),
            used: Mutex::default(),
        })
    }

    /// Whether this queue is used for the first time.
    pub(crate) fn first_use(&self, queue: &Name) -> bool {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.clone())
    }

    /// Sends a short command. `queue` is named in errors.
    pub(crate) async fn send(&self, command: &Cmd, queue: Option<&Name>) -> Result<Value, QueueError> {
        self.try_send(command).await?.map_err(|error| meaning(&error, queue))
    }

    async fn try_send(&self, command: &Cmd) -> Result<Result<Value, RedisError>, QueueError> {
        let mut connection = match self.pool.get().await {
            Ok(connection) => connection,
            Err(deadpool_redis::PoolError::Backend(error)) => {
                return Err(at_connect(&error, &self.target.shown));
            }
            Err(error) => return Err(QueueError::unreachable(format!("{}: {error}", self.target.shown))),
        };
        let answer = timeout(ANSWER, command.query_async(&mut *connection)).await;
        // a connection that failed is not used again; what it still reports is dropped with it
        let broken = match &answer {
            Ok(Ok(_)) => false,
            Ok(Err(error)) => error.is_io_error() || error.is_unrecoverable_error(),
            Err(_) => true,
        };
        if broken {
            drop(deadpool_redis::Connection::take(connection));
        }
        answer.map_err(|_| {
            QueueError::answer_lost(format!("{}: no answer within {ANSWER:?}", self.target.shown))
        })
    }

    /// Runs a script; a server that does not know it (any more) is given its text.
    pub(crate) async fn run(&self, script: &Script, call: &Call, queue: &Name) -> Result<Value, QueueError> {
        match self.try_send(&script.by_hash(call)).await? {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.send(&script.by_text(call), Some(queue)).await
            }
            answer => answer.map_err(|error| meaning(&error, Some(queue))),
        }
    }

    /// Waits on a connection of its own until a list has an element, and takes it, or until the time is over; answers whether it took
    /// one.
    ///
    /// A dropped future closes the connection. An element that was on its way is lost then: elements of these lists
    /// carry no work, and the next call of any worker puts back what is due.
    pub(crate) async fn block(&self, key: &str, wait: Duration) -> Result<bool, QueueError> {
        let idle = self.blocking.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let settings = settings();
                let connect = self.client.get_multiplexed_async_connection_with_config(&settings);
                connect.await.map_err(|error| at_connect(&error, &self.target.shown))?
            }
        };
        let mut command = Cmd::new();
        // zero would mean without end
        command.arg("BLPOP").arg(key).arg(format!("{:.3}", wait.as_secs_f64().max(0.001)));
        let answer = timeout(wait + LATE, command.query_async::<Value>(&mut connection)).await;
        match answer {
            Ok(Ok(answer)) => {
                let mut idle = self.blocking.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_BLOCKING {
                    idle.push(connection);
                }
                Ok(answer != Value::Nil)
            }
            Ok(Err(error)) => Err(meaning(&error, None)),
            Err(_) => Err(QueueError::answer_lost(format!("{}: the wait was not ended", self.target.shown))),
        }
    }
}
