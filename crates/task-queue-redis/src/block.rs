//! Commands that wait, each on a connection of its own.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use deadpool_redis::redis::{Cmd, Value};
use task_core::QueueError;
use tokio::time::timeout;

use crate::{
    dial::Dialed,
    error::{at_connect, meaning},
    link::Link,
};

/// How much later than its own timeout a blocking command may answer before its connection is given up.
const LATE: Duration = Duration::from_secs(2);
/// How many connections for blocking commands are kept for later.
const KEPT: usize = 16;

/// Connections that waited, and are kept for the next that waits.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Vec<Dialed>>);

impl Idle {
    fn take(&self) -> Option<Dialed> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|dialed| !dialed.is_closed());
        idle.pop()
    }

    fn keep(&self, dialed: Dialed) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(dialed);
        }
    }
}

impl Link {
    /// Waits on a connection of its own until one of some lists has an element, and takes it; answers which list that
    /// was, or none when the time is over. Not cancel safe: a dropped future closes the connection, and an element that
    /// was on its way is lost.
    pub(crate) async fn block(&self, lists: &[String], wait: Duration) -> Result<Option<String>, QueueError> {
        let mut dialed = match self.idle.take() {
            Some(dialed) => dialed,
            None => {
                let dialed = self.dialer.dial("waits").await;
                dialed.map_err(|error| at_connect(&error, &self.target))?
            }
        };
        let mut command = Cmd::new();
        command.arg("BLPOP").arg(lists).arg(format!("{:.3}", wait.as_secs_f64()));
        let answer = command.query_async::<Option<(String, Value)>>(&mut dialed.connection);
        let unended = || QueueError::answer_lost(format!("{}: the wait was not ended", self.target.shown));
        tokio::select! {
            answer = timeout(wait + LATE, answer) => match answer {
                Ok(Ok(taken)) => {
                    self.idle.keep(dialed);
                    Ok(taken.map(|(list, _)| list))
                }
                Ok(Err(error)) => Err(meaning(&error, None)),
                Err(_) => Err(unended()),
            },
            // an element that was on its way is lost, as it likely was before; whoever waits looks
            () = self.lost.notified() => Err(unended()),
        }
    }
}
