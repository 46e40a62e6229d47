//! Scripts are run: by their hash, and by their text where the server does not know them.

use std::{
    collections::HashSet,
    sync::{Arc, MutexGuard, PoisonError},
};

use task_core::{Name, QueueError};

use crate::{
    error::{foreign, meaning},
    link::Link,
    script::{self, Call, Script},
    wire::{Answer, Connection, Request, Run, ServerError, Value},
};

impl Link {
    /// Runs a script; a server that does not know it (any more) is given its text.
    pub(crate) async fn run(
        &self,
        script: &'static Script,
        call: &Call,
        queue: &Name,
    ) -> Result<Value, QueueError> {
        let mut answers = self.run_all(&[(script, call)], queue).await?;
        answers.pop().unwrap_or(Ok(Value::Nil))
    }

    /// Runs scripts one after the other, in one write; an answer for each, in their order.
    ///
    /// A script that the server may not know is sent as text if others follow it, since they would overtake it. Only
    /// where a server forgot its scripts just now they do, once.
    ///
    /// Before the first on a queue over a connection goes one that tells the queue in which run the server is.
    pub(crate) async fn run_all(
        &self,
        calls: &[(&'static Script, &Call)],
        queue: &Name,
    ) -> Result<Vec<Result<Value, QueueError>>, QueueError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let connection = self.connection().await?;
        let (request, news) = self.request(calls, queue, &connection);
        let answers = self.send_over(connection, &request).await?;
        Ok(self.read(answers, news, calls, queue).await)
    }

    /// Runs a script over this connection.
    pub(crate) async fn run_over(
        &self,
        connection: &mut Connection,
        script: &'static Script,
        call: &Call,
        queue: &Name,
    ) -> Result<Value, QueueError> {
        let calls = [(script, call)];
        let (request, news) = self.request(&calls, queue, connection);
        let answers = self.exchange(connection, &request).await?;
        self.read(answers, news, &calls, queue).await.pop().unwrap_or(Ok(Value::Nil))
    }

    /// The commands for these calls, and the run of the server that the first of them tells, if one does.
    fn request(
        &self,
        calls: &[(&'static Script, &Call)],
        queue: &Name,
        connection: &Connection,
    ) -> (Request, Option<Arc<Run>>) {
        let length = calls.iter().map(|(_, call)| call.length()).sum();
        let mut request = Request::with_capacity(length);
        let news = connection.run.clone().filter(|run| !run.told().contains(queue));
        if let Some(run) = &news {
            let mut call = Call::new(self.target.keys.base(queue));
            script::SERVER.by_text(call.arg(run.id.as_bytes()), &mut request);
        }
        for (n, (script, call)) in calls.iter().enumerate() {
            let is_followed = n + 1 < calls.len();
            if is_followed && !self.loaded().contains(script.hash()) {
                script.by_text(call, &mut request);
            } else {
                script.by_hash(call, &mut request);
            }
        }
        (request, news)
    }

    async fn read(
        &self,
        answers: Vec<Answer>,
        news: Option<Arc<Run>>,
        calls: &[(&'static Script, &Call)],
        queue: &Name,
    ) -> Vec<Result<Value, QueueError>> {
        let mut answered = answers.into_iter();
        if let Some(run) = news
            && let Some(Ok(_)) = answered.next()
        {
            run.told().insert(queue.clone());
        }
        let mut answers = Vec::with_capacity(calls.len());
        for (answer, (script, call)) in answered.zip(calls) {
            answers.push(self.meaning_of(answer, script, call, queue).await); // each has its own
        }
        answers
    }

    /// What a script's answer means; it is sent again with its text, if the server does not know it any more.
    async fn meaning_of(
        &self,
        mut answer: Answer,
        script: &'static Script,
        call: &Call,
        queue: &Name,
    ) -> Result<Value, QueueError> {
        if answer.as_ref().is_err_and(|error| error.code() == "NOSCRIPT") {
            self.loaded().clear();
            let mut request = Request::default();
            script.by_text(call, &mut request);
            answer = self.send_one(&request).await?;
        }
        match answer {
            Ok(answer) => {
                self.loaded().insert(script.hash());
                Ok(answer)
            }
            Err(error) if error.code() == "WRONGTYPE" => Err(self.find_foreign(queue, &error).await),
            Err(error) => Err(meaning(&error, Some(queue))),
        }
    }

    /// The hashes of scripts that the server knew when they ran last.
    fn loaded(&self) -> MutexGuard<'_, HashSet<&'static str>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A script found a key of another kind, and does not say which: it is looked for among those that are known.
    async fn find_foreign(&self, queue: &Name, error: &ServerError) -> QueueError {
        let kinds = self.target.keys.kinds(queue);
        let mut request = Request::default();
        for (key, _) in &kinds {
            request.command(&["TYPE", key]);
        }
        let found = self.send_all(&request).await.unwrap_or_default();
        let differs = |found: Answer, kind: &str| matches!(found, Ok(Value::Bytes(found)) if found != "none" && found != kind);
        let mut keys = kinds.into_iter().zip(found);
        match keys.find_map(|((key, kind), found)| differs(found, kind).then_some(key)) {
            Some(key) => foreign(&format!("key `{key}`"), &error.to_string()),
            None => foreign(&format!("a key of queue `{queue}`"), &error.to_string()),
        }
    }
}
