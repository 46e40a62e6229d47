//! Commands that wait, each on a connection of its own.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use task_core::QueueError;
use tokio::time::{Instant, timeout};

use crate::{
    dial::LONG,
    error::{at_connect, meaning, unanswered},
    link::Link,
    reply::Reply,
    wire::{Connection, Request, Value},
};

/// How much later than its own timeout a blocking command may answer before its connection is given up.
const LATE: Duration = Duration::from_secs(2);
/// How many connections for blocking commands are kept for later.
const KEPT: usize = 16;

/// Connections that waited, and are kept for the next that waits.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Vec<(Connection, Instant)>>);

impl Idle {
    fn take(&self) -> Option<Connection> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|(connection, since)| since.elapsed() < LONG && connection.is_usable());
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push((connection, Instant::now()));
        }
    }
}

impl Link {
    /// Waits on a connection of its own until one of some lists has an element, and takes it; answers which list that
    /// was, or none when the time is over. Not cancel safe: a dropped future closes the connection, and an element that
    /// was on its way is lost.
    pub(crate) async fn block(&self, lists: &[String], wait: Duration) -> Result<Option<String>, QueueError> {
        let mut connection = match self.idle.take() {
            Some(connection) => connection,
            None => {
                let connection = self.dialer.dial("waits").await;
                connection.map_err(|error| at_connect(&error, &self.target))?
            }
        };
        let seconds = format!("{:.3}", wait.as_secs_f64());
        let mut words = vec!["BLPOP"];
        words.extend(lists.iter().map(String::as_str));
        words.push(&seconds);
        let request = Request::one(&words);
        let unended = || QueueError::answer_lost(format!("{}: the wait was not ended", self.target.shown));
        let answer = tokio::select! {
            answer = timeout(wait + LATE, connection.ask(&request)) => match answer {
                Ok(Ok(mut answers)) => answers.pop().unwrap_or(Ok(Value::Nil)),
                Ok(Err(error)) => return Err(unanswered(&error, &self.target)),
                Err(_) => return Err(unended()),
            },
            // an element that was on its way is lost, as it likely was before; whoever waits looks
            () = self.lost.notified() => return Err(unended()),
        };
        match answer {
            Ok(Value::Nil) => {
                self.idle.keep(connection);
                Ok(None)
            }
            Ok(taken) => {
                self.idle.keep(connection);
                Reply::new(taken)?.text().map(Some)
            }
            Err(error) => Err(meaning(&error, None)),
        }
    }
}
