//! A client's connections to one server: a pool for short commands, and connections of their own for those that wait and for
//! heartbeats.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Object, Pool, PoolError, QueueMode},
};
use task_core::{Name, QueueError};
use tokio::{sync::Notify, time::Instant};

use crate::{
    beat::{Beats, ToldToRunEmpty},
    block::Idle,
    claim::Emptied,
    clock::Clock,
    dial::{Dialer, Manager},
    error::{at_connect, foreign, meaning, unanswered},
    news::News,
    park::Parking,
    patience::Patience,
    url::Target,
    wire::{Answer, Connection, Request, Value, WireError},
};

/// To get a connection of the pool.
const POOL_WAIT: Duration = Duration::from_secs(5);
/// How many connections the pool has at most.
const POOL_SIZE: usize = 16;

/// All connections to one server.
pub(crate) struct Link {
    pub(crate) target: Target,
    pub(crate) clock: Clock,
    pub(crate) dialer: Dialer,
    pub(crate) parking: Parking,
    pub(crate) news: News,
    pub(crate) told_to_run_empty: ToldToRunEmpty,
    pub(crate) emptied: Emptied,
    /// Those of detached copies, too.
    pub(crate) beats: Arc<Beats>,
    patience: Patience,
    /// A call was lost: so may be what is waited for on other connections.
    pub(crate) lost: Notify,
    pool: Pool<Manager>,
    pub(crate) idle: Idle,
    used: Mutex<HashSet<Name>>,
    /// The hashes of scripts that the server knew when they ran last.
    pub(crate) loaded: Mutex<HashSet<&'static str>>,
}

impl Link {
    pub(crate) fn new(target: Target) -> Result<Self, QueueError> {
        let dialer = Dialer::new(&target);
        let pool = Pool::builder(Manager(dialer.clone()))
            .max_size(POOL_SIZE)
            // the one that was used last is the likeliest to be good
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(POOL_WAIT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(QueueError::unreachable)?;
        Ok(Self {
            target,
            clock: Clock::new(),
            dialer,
            parking: Parking::default(),
            news: News::default(),
            told_to_run_empty: ToldToRunEmpty::default(),
            emptied: Emptied::default(),
            beats: Arc::default(),
            patience: Patience::default(),
            lost: Notify::new(),
            pool,
            idle: Idle::default(),
            used: Mutex::default(),
            loaded: Mutex::default(),
        })
    }

    /// Whether this queue is used for the first time.
    pub(crate) fn first_use(&self, queue: &Name) -> bool {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.clone())
    }

    /// Sends a short command in words. `queue` is named in errors.
    pub(crate) async fn send(&self, words: &[&str], queue: Option<&Name>) -> Result<Value, QueueError> {
        self.try_send(words).await?.map_err(|error| match error.code() {
            "WRONGTYPE" => foreign(&format!("key `{}`", words.get(1).unwrap_or(&"")), &error.to_string()),
            _ => meaning(&error, queue),
        })
    }

    /// Sends a short command in words, and answers the server's own error.
    pub(crate) async fn try_send(&self, words: &[&str]) -> Result<Answer, QueueError> {
        self.send_one(&Request::one(words)).await
    }

    pub(crate) async fn send_one(&self, request: &Request) -> Result<Answer, QueueError> {
        Ok(self.send_all(request).await?.pop().unwrap_or(Ok(Value::Nil)))
    }

    /// Sends short commands in one write; an answer for each, in their order.
    pub(crate) async fn send_all(&self, request: &Request) -> Result<Vec<Answer>, QueueError> {
        if request.commands() == 0 {
            return Ok(Vec::new());
        }
        self.send_over(self.connection().await?, request).await
    }

    /// A connection for short commands.
    pub(crate) async fn connection(&self) -> Result<Object<Manager>, QueueError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => at_connect(&error, &self.target),
            error => QueueError::unreachable(format!("{}: {error}", self.target.shown)),
        })
    }

    /// As [`send_all`](Self::send_all).
    pub(crate) async fn send_over(
        &self,
        mut connection: Object<Manager>,
        request: &Request,
    ) -> Result<Vec<Answer>, QueueError> {
        let answers = self.exchange(&mut connection, request).await;
        if answers.is_err() || connection.leads_to_replica() {
            // those that lie idle have likely gone the same way
            drop(Object::take(connection));
            drop(self.pool.retain(|_, _| false));
        }
        answers
    }

    /// Sends short commands in one write, over this connection.
    pub(crate) async fn exchange(
        &self,
        connection: &mut Connection,
        request: &Request,
    ) -> Result<Vec<Answer>, QueueError> {
        let began = Instant::now();
        let answers = self.patience.wait(&self.dialer, connection.ask(request)).await.unwrap_or_else(|| {
            self.lost.notify_waiters();
            let waited = began.elapsed().as_secs_f64();
            Err(WireError::timed_out(format!("no answer within {waited:.1} s")))
        });
        answers.map_err(|error| {
            self.idle.clear();
            unanswered(&error, &self.target)
        })
    }
}
