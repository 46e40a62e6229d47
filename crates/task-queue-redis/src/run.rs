//! Scripts are run: by their hash, and by their text where the server does not know them.

use std::{
    collections::HashSet,
    sync::{MutexGuard, PoisonError},
};

use deadpool_redis::redis::{Cmd, RedisError, RedisResult, Value};
use task_core::{Name, QueueError};

use crate::{
    error::{foreign, meaning},
    link::Link,
    script::{Call, Script},
};

impl Link {
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
}
