//! Commands that wait, each on a connection of its own, over which heartbeats go, too.

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

/// How much later than its own timeout a blocking command may answer before its connection is given up. A worker has a second more
/// than this for the heartbeat after it.
pub(crate) const LATE: Duration = Duration::from_secs(2);
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

    /// One has broken: the others have likely gone the same way.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Keeps one for later, unless something went wrong on it: then it is closed, and with it ends what it may still wait for.
    pub(crate) fn keep(&self, connection: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && connection.owes_nothing() && !connection.leads_to_replica() {
            idle.push((connection, Instant::now()));
        }
    }
}

impl Link {
    /// A connection on which to wait, to be [kept](Idle::keep) when nothing is awaited on it any more.
    pub(crate) async fn waiting(&self) -> Result<Connection, QueueError> {
        if let Some(connection) = self.idle.take() {
            return Ok(connection);
        }
        self.dialer.dial("waits").await.map_err(|error| at_connect(&error, &self.target))
    }

    /// Waits until one of some lists has an element, and takes it; answers which list that was, or none when the time is over,
    /// which the server says up to 100 ms later, or is given up if it is so `late`. Not cancel safe: the connection can't be used any
    /// more, and an element that was on its way is lost.
    pub(crate) async fn block(
        &self,
        connection: &mut Connection,
        lists: &[String],
        wait: Duration,
        late: Duration,
    ) -> Result<Option<String>, QueueError> {
        let wait = wait.max(Duration::from_millis(1)); // with 0 it is for ever
        let seconds = format!("{:.3}", wait.as_secs_f64());
        let mut words = vec!["BLPOP"];
        words.extend(lists.iter().map(String::as_str));
        words.push(&seconds);
        let request = Request::one(&words);
        let unended = || QueueError::answer_lost(format!("{}: the wait was not ended", self.target.shown));
        let answer = tokio::select! {
            answer = timeout(wait + late, connection.ask(&request)) => match answer {
                Ok(Ok(mut answers)) => answers.pop().unwrap_or(Ok(Value::Nil)),
                Ok(Err(error)) => {
                    self.idle.clear();
                    return Err(unanswered(&error, &self.target));
                }
                Err(_) => {
                    self.idle.clear();
                    return Err(unended());
                }
            },
            // an element that was on its way is lost, as it likely was before; whoever waits looks
            () = self.lost.notified() => return Err(unended()),
        };
        match answer {
            Ok(Value::Nil) => Ok(None),
            Ok(taken) => Reply::new(taken)?.text().map(Some),
            Err(error) => Err(meaning(&error, None)),
        }
    }
}
