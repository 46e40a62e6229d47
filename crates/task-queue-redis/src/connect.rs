//! A client's connections to one server: a pool for short commands, and connections of their own for those that wait.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Object, Pool, PoolError, QueueMode},
};
use deadpool_redis::redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use task_core::{Name, QueueError};
use tokio::time::timeout;

use crate::{
    beat::ToldToRunEmpty,
    clock::Clock,
    dial::{ANSWER, CONNECT, Dialed, Dialer, LIVES, Manager},
    error::{at_connect, foreign, meaning},
    news::News,
    park::Parking,
    reply::corrupt,
    script::{Call, Script},
    url::Target,
};

/// To get a connection of the pool.
const POOL_WAIT: Duration = Duration::from_secs(5);
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
    pub(crate) dialer: Dialer,
    pub(crate) parking: Parking,
    pub(crate) news: News,
    pub(crate) told_to_run_empty: ToldToRunEmpty,
    pool: Pool<Manager>,
    blocking: Mutex<Vec<Dialed>>,
    used: Mutex<HashSet<Name>>,
    loaded: Mutex<HashSet<String>>,
}

impl Link {
    pub(crate) fn new(target: Target) -> Result<Self, QueueError> {
        let dialer = Dialer::new(&target)?;
        let pool = Pool::builder(Manager(dialer.clone()))
            .max_size(POOL_SIZE)
            // the one that was used last is the likeliest to be good
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(LIVES))
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
            pool,
            blocking: Mutex::default(),
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
            Some("WRONGTYPE") => {
                foreign(&format!("key `{}`", words.get(1).unwrap_or(&"")), &error.to_string())
            }
            _ => meaning(&error, queue),
        })
    }

    /// Sends a short command in words, and answers the server's own error.
    pub(crate) async fn try_send(&self, words: &[&str]) -> Result<RedisResult<Value>, QueueError> {
        let mut command = Cmd::new();
        command.arg(words);
        self.send_one(command).await
    }

    async fn send_one(&self, command: Cmd) -> Result<RedisResult<Value>, QueueError> {
        Ok(self.send_all(vec![command]).await?.pop().unwrap_or(Ok(Value::Nil)))
    }

    /// Sends short commands in one write; an answer for each, in their order.
    async fn send_all(&self, commands: Vec<Cmd>) -> Result<Vec<RedisResult<Value>>, QueueError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = match self.pool.get().await {
            Ok(connection) => connection,
            Err(PoolError::Backend(error)) => return Err(at_connect(&error, &self.target.shown)),
            Err(error) => return Err(QueueError::unreachable(format!("{}: {error}", self.target.shown))),
        };
        let sent = commands.len();
        let mut pipeline = Pipeline::with_capacity(sent);
        for command in commands {
            pipeline.add_command(command);
        }
        pipeline.ignore_errors();
        let answers =
            timeout(ANSWER, pipeline.query_async::<Vec<RedisResult<Value>>>(&mut connection.connection))
                .await;
        let answers = match answers {
            Ok(Ok(answers)) if answers.len() == sent => Ok(answers),
            Ok(Ok(_)) => Err(corrupt("the server gave another number of answers than it was asked for")),
            Ok(Err(error)) => Err(meaning(&error, None)),
            Err(_) => {
                let late = format!("{}: no answer within {ANSWER:?}", self.target.shown);
                Err(QueueError::answer_lost(late))
            }
        };
        if answers.is_err() {
            // what it still reports is dropped with it; those that lie idle have likely gone the same way
            drop(Object::take(connection));
            drop(self.pool.retain(|_, _| false));
        }
        answers
    }

    /// Runs a script; a server that does not know it (any more) is given its text.
    pub(crate) async fn run(&self, script: &Script, call: &Call, queue: &Name) -> Result<Value, QueueError> {
        let mut answers = self.run_all(&[(script, call)], queue).await?;
        answers.pop().unwrap_or(Ok(Value::Nil))
    }

    /// Runs scripts one after the other, in one write; an answer for each, in their order.
    ///
    /// A script that the server may not know is sent as text if others follow it, since they would overtake it. Only
    /// where a server forgot its scripts just now they do, once.
    pub(crate) async fn run_all(
        &self,
        calls: &[(&Script, &Call)],
        queue: &Name,
    ) -> Result<Vec<Result<Value, QueueError>>, QueueError> {
        let command = |(n, (script, call)): (usize, &(&Script, &Call))| {
            let is_followed = n + 1 < calls.len();
            if is_followed && !self.loaded().contains(script.hash()) {
                script.by_text(call)
            } else {
                script.by_hash(call)
            }
        };
        let commands = calls.iter().enumerate().map(command).collect();
        let mut answers = Vec::with_capacity(calls.len());
        for (answer, (script, call)) in self.send_all(commands).await?.into_iter().zip(calls) {
            let answer = match answer {
                Err(error) if error.code() == Some("NOSCRIPT") => {
                    self.loaded().clear();
                    self.send_one(script.by_text(call)).await?
                }
                answer => answer,
            };
            answers.push(match answer {
                Ok(answer) => {
                    self.loaded().insert(script.hash().to_owned());
                    Ok(answer)
                }
                Err(error) if error.code() == Some("WRONGTYPE") => {
                    Err(self.find_foreign(queue, &error).await)
                }
                Err(error) => Err(meaning(&error, Some(queue))),
            });
        }
        Ok(answers)
    }

    /// The hashes of scripts that the server knew when they ran last.
    fn loaded(&self) -> MutexGuard<'_, HashSet<String>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A script found a key of another kind, and does not say which: it is looked for among those that are known.
    async fn find_foreign(&self, queue: &Name, error: &RedisError) -> QueueError {
        let kinds = self.target.keys.kinds(queue);
        let ask = |(key, _): &(String, &str)| {
            let mut command = Cmd::new();
            command.arg("TYPE").arg(key);
            command
        };
        let found = self.send_all(kinds.iter().map(ask).collect()).await.unwrap_or_default();
        let differs = |found: RedisResult<Value>, kind: &str| matches!(found, Ok(Value::SimpleString(found)) if found != "none" && found != kind);
        let mut keys = kinds.into_iter().zip(found);
        match keys.find_map(|((key, kind), found)| differs(found, kind).then_some(key)) {
            Some(key) => foreign(&format!("key `{key}`"), &error.to_string()),
            None => foreign(&format!("a key of queue `{queue}`"), &error.to_string()),
        }
    }

    /// Waits on a connection of its own until one of some lists has an element, and takes it; answers which list that
    /// was, or none when the time is over. Not cancel safe: a dropped future closes the connection, and an element that
    /// was on its way is lost.
    pub(crate) async fn block(&self, lists: &[String], wait: Duration) -> Result<Option<String>, QueueError> {
        let mut dialed = match self.idle_blocking() {
            Some(dialed) => dialed,
            None => {
                let dialed = self.dialer.dial("waits").await;
                dialed.map_err(|error| at_connect(&error, &self.target.shown))?
            }
        };
        let mut command = Cmd::new();
        command.arg("BLPOP").arg(lists).arg(format!("{:.3}", wait.as_secs_f64()));
        let answer = command.query_async::<Option<(String, Value)>>(&mut dialed.connection);
        match timeout(wait + LATE, answer).await {
            Ok(Ok(taken)) => {
                let mut idle = self.blocking.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < IDLE_BLOCKING {
                    idle.push(dialed);
                }
                Ok(taken.map(|(list, _)| list))
            }
            Ok(Err(error)) => Err(meaning(&error, None)),
            Err(_) => Err(QueueError::answer_lost(format!("{}: the wait was not ended", self.target.shown))),
        }
    }

    /// A connection that waited before and is not known to be closed.
    fn idle_blocking(&self) -> Option<Dialed> {
        let mut idle = self.blocking.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|dialed| !dialed.is_closed());
        idle.pop()
    }
}
