use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_redis::redis::{self, Value};
use task_core::{
    BackendInfo, Batch, CancelAnswer, Capabilities, Capability, Claim, Claimed, Command, ControlAnswer,
    Delivery, EnqueueReply, Enqueued, Explanation, Filter, FromUrl, Heartbeat, HeartbeatReply, Incarnation,
    Lookup, Moment, Name, Outcome, Page, Queue, QueueError, QueueStats, SettleAnswer, SettleReply,
    SettleRequest, Settlement, TaskId, TaskMessage, Timestamp, Token, WorkerCommand,
};

use crate::{
    connect::Link,
    info::{self, Server},
    keys::{read_id, stored_id},
    list,
    record::{self, Seen},
    reply::{Reply, corrupt},
    script::{self, Call},
    stats, url,
};

/// The version of the layout that this release writes, and the newest that it reads.
const LAYOUT: u32 = 1;
/// No wait for a wake token is longer, so that a lost one delays nobody for more.
const LONGEST_BLOCK: Duration = Duration::from_secs(5);
/// How many tasks one step of a release gives back, and one step of a purge cancels.
const STEP: u64 = 200;

/// The Redis backend: all of it is reached through [`Queue`]. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RedisQueue {
    link: Arc<Link>,
    server: Arc<Server>,
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisQueue({} at {})", self.server.name, self.link.target.shown)
    }
}

impl RedisQueue {
    /// Connects to a Redis: `host:port`, `redis://…`, `rediss://…` or `redis+unix://…`; `?prefix=` sets the prefix of
    /// its keys (default `tf`).
    ///
    /// # Errors
    /// [`QueueError::Invalid`] for a wrong URL, [`QueueError::Unreachable`] if nothing answers there, and
    /// [`QueueError::Refused`] for a wrong password, a server that is too old or a layout that is too new.
    pub async fn connect(url: &str) -> Result<Self, QueueError> {
        let link = Link::new(url::parse(url)?)?;
        let text = link.send(redis::cmd("INFO").arg("everything"), None).await?;
        let text = Reply::new(Value::Array(vec![text]))?.text()?;
        // CONFIG is often closed: then no more than every second is claimed
        let fsync = link.send(redis::cmd("CONFIG").arg("GET").arg("appendfsync"), None).await.ok();
        let fsync = fsync.and_then(|pair| Reply::new(pair).ok()).and_then(|mut pair| {
            pair.value();
            pair.text().ok()
        });
        let server = info::check(&text, fsync.as_deref())?;
        let queue = Self { link: Arc::new(link), server: Arc::new(server) };
        queue.check_layout().await?;
        Ok(queue)
    }

    /// Connects to the Redis that the environment names: TASK_QUEUE, else REDIS_URL, else REDIS_HOST and REDIS_PORT,
    /// else `localhost:6379`.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn from_env() -> Result<Self, QueueError> {
        Self::connect(&url::from_env(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))).await
    }

    async fn check_layout(&self) -> Result<(), QueueError> {
        let key = self.link.target.keys.layout();
        let found = self.link.send(redis::cmd("GET").arg(&key), None).await?;
        let found = Reply::new(Value::Array(vec![found]))?.text()?;
        if found.is_empty() {
            // a full server may refuse this; the next that connects writes it
            self.link.send(redis::cmd("SET").arg(&key).arg(LAYOUT).arg("NX"), None).await.ok();
            return Ok(());
        }
        match found.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
            Some(major) if major <= LAYOUT => Ok(()),
            _ => Err(QueueError::Refused(format!(
                "the layout under `{key}` has version {}, and this release reads up to {LAYOUT}; upgrade it",
                found.escape_debug()
            ))),
        }
    }

    /// Moves the backend's clock on, as a test's harness does; `alive`: as if it had been called all the while.
    #[doc(hidden)]
    pub async fn advance_clock(&self, queue: &Name, by: Duration, alive: bool) -> Result<(), QueueError> {
        let meta = format!("{}:meta", self.link.target.keys.base(queue));
        let fields: &[&str] = if alive { &["skew", "tick"] } else { &["skew"] };
        for field in fields {
            let mut command = redis::cmd("HINCRBY");
            command.arg(&meta).arg(field).arg(by.as_millis() as u64);
            self.link.send(&command, Some(queue)).await?;
        }
        self.link.clock.set(self.link.clock.now().as_millis() + by.as_millis() as u64);
        Ok(())
    }

    pub(crate) fn call(&self, queue: &Name) -> Call {
        Call::new(self.link.target.keys.base(queue))
    }

    pub(crate) async fn run(
        &self,
        script: &script::Script,
        call: &Call,
        queue: &Name,
    ) -> Result<Reply, QueueError> {
        Reply::new(self.link.run(script, call, queue).await?)
    }

    /// Reads the time that a script's answer begins with.
    pub(crate) fn time(&self, reply: &mut Reply) -> Result<Timestamp, QueueError> {
        let now = reply.number()?;
        self.link.clock.set(now);
        Ok(Timestamp::from_millis(now))
    }

    pub(crate) async fn look(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        let mut call = self.call(queue);
        call.number(0).arg(stored_id(id));
        let mut reply = self.run(&script::LOOK, &call, queue).await?;
        let now = self.time(&mut reply)?;
        match reply.value() {
            Value::Nil => Ok(Lookup::NotFound),
            view => Ok(record::read(queue, view, None)?.lookup(now)),
        }
    }

    async fn claim_once(&self, claim: &Claim) -> Result<Answered, QueueError> {
        let mut call = self.call(&claim.queue);
        call.arg(claim.worker.to_string()).number(claim.number).number(claim.acked);
        call.number(claim.max_tasks.min(Batch::MAX) as u64).number(claim.max_bytes as u64);
        call.number(claim.registration.lease.as_millis() as u64).number(u64::from(claim.idle));
        let mut reply = self.run(&script::CLAIM, &call, &claim.queue).await?;
        let mut word = reply.text()?;
        if word == "REG" {
            register(&mut call, &claim.registration);
            reply = self.run(&script::CLAIM, &call, &claim.queue).await?;
            word = reply.text()?;
        }
        if word == "CLOSED" {
            return Err(QueueError::Closed(claim.worker));
        }
        self.time(&mut reply)?;
        let more = reply.flag()?;
        let due = reply.signed()?;
        let (run_empty, paused, alone) = (reply.flag()?, reply.flag()?, reply.flag()?);
        let mut claimed = Claimed::default();
        let mut tasks = reply.list()?;
        while !tasks.is_empty() {
            let mut task = tasks.list()?;
            let held = task.text()?;
            let Seen::Task(mut task) = record::read(&claim.queue, task.value(), Some(&held))? else {
                continue;
            };
            task.record.worker = Some(claim.registration.label.clone());
            claimed.tasks.push(Delivery::new(claim.token(), task.stored, task.record));
        }
        claimed.more = more;
        claimed.next_wake = u64::try_from(due).ok().map(Duration::from_millis);
        (claimed.run_empty, claimed.paused) = (run_empty, paused);
        Ok(Answered { claimed, alone })
    }

    async fn beat_once(&self, beat: &Heartbeat) -> Result<(HeartbeatReply, bool), QueueError> {
        let mut reply = Reply::new(Value::Array(Vec::new()))?;
        let mut word = String::new();
        for registers in [false, true] {
            let mut call = self.call(&beat.queue);
            call.arg(beat.worker.to_string()).number(beat.registration.lease.as_millis() as u64);
            call.number(u64::from(beat.busy));
            if registers {
                register(&mut call, &beat.registration);
            } else {
                call.arg("").arg("").arg("");
            }
            for update in &beat.progress {
                call.arg(stored_id(&update.id)).arg(token_text(&update.token));
                call.arg(record::write_progress(&update.progress));
            }
            reply = self.run(&script::BEAT, &call, &beat.queue).await?;
            word = reply.text()?;
            if word != "REG" {
                break;
            }
        }
        let mut answer = HeartbeatReply::default();
        if word == "CLOSED" {
            answer.closed = true;
            return Ok((answer, true));
        }
        self.time(&mut reply)?;
        answer.run_empty = reply.flag()?;
        let mut cancels = reply.list()?;
        while !cancels.is_empty() {
            let id = cancels.text()?;
            let token = cancels.text()?;
            let id = read_id(&id).ok_or_else(|| corrupt("a stored id can't be read"))?;
            answer.cancel.push((id, read_token(&token)?));
        }
        let mut commands = reply.list()?;
        while !commands.is_empty() {
            // a command of a newer release is passed over
            answer.commands.extend(rmp_serde::from_slice::<WorkerCommand>(&commands.bytes()?).ok());
        }
        let news = reply.flag()? || !answer.commands.is_empty();
        Ok((answer, news))
    }
}

struct Answered {
    claimed: Claimed,
    alone: bool,
}

fn token_text(token: &Token) -> String {
    format!("{}:{}", token.worker, token.claim)
}

fn read_token(text: &str) -> Result<Token, QueueError> {
    let token = text
        .split_once(':')
        .and_then(|(worker, claim)| Some(Token::new(worker.parse().ok()?, claim.parse().ok()?)));
    token.ok_or_else(|| corrupt("a stored token can't be read"))
}

fn register(call: &mut Call, registration: &task_core::Registration) {
    let names: String = registration.names.iter().map(|name| format!("{name}\n")).collect();
    call.arg(registration.label.as_str()).arg(format!("\n{names}")).arg(stats::about(registration));
}

fn special(message: &TaskMessage) -> String {
    let at = |moment: Option<Moment>| match moment {
        Some(Moment::At(time)) => (time.as_millis().to_string(), String::new()),
        Some(Moment::In(time)) => (String::new(), time.as_millis().to_string()),
        None => Default::default(),
    };
    let lock = message.lock();
    if message.start.is_none() && message.expires.is_none() && lock.is_none() && message.retention.is_none() {
        return String::new();
    }
    let ((start_at, start_in), (end_at, end_in)) = (at(message.start), at(message.expires));
    let keep = message.retention.map(|keep| keep.as_millis().to_string()).unwrap_or_default();
    let print = message.fingerprint();
    format!("{start_at},{start_in},{end_at},{end_in},{keep},{print:016x},{}", lock.unwrap_or_default())
}

/// A settlement's arguments. The time is left to the script, so that the same settlement is the same bytes again.
fn settle_args(call: &mut Call, settlement: &Settlement) {
    let delivery = &settlement.delivery;
    let record = || delivery.record.clone().settled(&settlement.outcome, Timestamp::default()).to_record();
    let keep = || settlement.retention().map(|keep| keep.as_millis().to_string()).unwrap_or_default();
    let (kind, detail, record) = match &settlement.outcome {
        Outcome::Completed { .. } => ("C", keep(), record()),
        Outcome::Skipped { .. } => ("S", keep(), record()),
        Outcome::Cancelled { .. } => ("X", keep(), record()),
        Outcome::Failed { .. } => ("F", keep(), record()),
        Outcome::Retry { delay, .. } => ("T", delay.as_millis().to_string(), record()),
        Outcome::Released => ("R", String::new(), Vec::new()),
        Outcome::NameUnknown => ("N", delivery.record.task.to_string(), Vec::new()),
    };
    call.arg(stored_id(delivery.id())).arg(token_text(&delivery.token)).arg(kind).arg(detail);
    call.arg(delivery.record.fingerprint.to_be_bytes()).arg(record);
}

impl Queue for RedisQueue {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        if batch.messages.len() > Batch::MAX {
            let wrong = format!("a batch of {} messages; at most {} fit", batch.messages.len(), Batch::MAX);
            return Err(QueueError::invalid(wrong));
        }
        let durability = self.server.durability.clone();
        if batch.messages.is_empty() {
            return Ok(EnqueueReply::new(Vec::new(), durability));
        }
        self.note_queue(&batch.queue).await;
        let mut call = self.call(&batch.queue);
        let prints: Vec<u64> = batch.messages.iter().map(TaskMessage::fingerprint).collect();
        for mut message in batch.messages {
            message.enqueued_at = Some(self.link.clock.now());
            call.arg(stored_id(&message.id)).arg(message.to_record());
            call.number(u64::from(message.priority)).arg(special(&message));
        }
        let mut reply = match self.run(&script::ENQUEUE, &call, &batch.queue).await {
            Err(QueueError::Full(_)) => {
                return Ok(EnqueueReply::new(vec![Enqueued::Full; prints.len()], durability));
            }
            reply => reply?,
        };
        self.time(&mut reply)?;
        let mut answers = Vec::with_capacity(prints.len());
        for print in prints {
            answers.push(match reply.value() {
                Value::Int(1) => Enqueued::Queued,
                Value::Int(_) => Enqueued::Full,
                Value::BulkString(owner) => {
                    let owner = std::str::from_utf8(&owner).ok().and_then(read_id);
                    Enqueued::DuplicateOf(
                        owner.ok_or_else(|| corrupt("the owner of a unique key can't be read"))?,
                    )
                }
                view => {
                    let (status, found) = record::read(&batch.queue, view, None)?.identity();
                    Enqueued::Exists { status, same: found == print }
                }
            });
        }
        Ok(EnqueueReply::new(answers, durability))
    }

    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        let end = Instant::now() + claim.wait;
        let wake = format!("{}:wake", self.link.target.keys.base(&claim.queue));
        loop {
            let Answered { claimed, alone } = self.claim_once(&claim).await?;
            let left = end.saturating_duration_since(Instant::now());
            if !claimed.tasks.is_empty() || left.is_zero() || claimed.run_empty || claim.max_tasks == 0 {
                return Ok(claimed);
            }
            let due = claimed.next_wake.unwrap_or(LONGEST_BLOCK);
            let wait = left.min(due).min(LONGEST_BLOCK);
            if alone {
                // the token is for those who may take something
                tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
            } else {
                self.link.block(&wake, wait).await?;
            }
        }
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        let mut answers = Vec::with_capacity(request.settlements.len());
        if !request.settlements.is_empty() {
            let mut call = self.call(&request.queue);
            for settlement in &request.settlements {
                settle_args(&mut call, settlement);
            }
            let mut reply = self.run(&script::SETTLE, &call, &request.queue).await?;
            self.time(&mut reply)?;
            for _ in &request.settlements {
                answers.push(match reply.number()? {
                    1 => SettleAnswer::Done,
                    2 => SettleAnswer::AlreadyDone,
                    _ => SettleAnswer::Stale,
                });
            }
        }
        let mut reply = SettleReply::new(answers);
        if let Some(claim) = request.then {
            reply.claimed = Some(self.claim_once(&claim).await.map(|answered| answered.claimed));
        }
        Ok(reply)
    }

    async fn heartbeat(&self, mut beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        let end = Instant::now() + beat.wait;
        let bell = format!("{}:bell:{}", self.link.target.keys.base(&beat.queue), beat.worker);
        let mut rung = false;
        loop {
            let (answer, news) = self.beat_once(&beat).await?;
            beat.progress.clear();
            let left = end.saturating_duration_since(Instant::now());
            if news || rung || left.is_zero() {
                return Ok(answer);
            }
            // cancels and suspects that were told before end no wait: each beat tells them again
            // the bell that ends the wait is taken by it, so the beat that follows would find none
            rung = self.link.block(&bell, left.min(LONGEST_BLOCK)).await?;
        }
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        let mut given = 0;
        loop {
            let mut call = self.call(queue);
            call.arg(worker.to_string()).number(STEP);
            let mut reply = self.run(&script::RELEASE, &call, queue).await?;
            given += reply.number()?;
            if !reply.flag()? {
                return Ok(given);
            }
        }
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        self.look(queue, id).await
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        let capabilities = Capabilities::all().without(Capability::Push);
        let name = format!("{} at {}", self.server.name, self.link.target.shown);
        let mut info = BackendInfo::new(name, capabilities, self.server.durability.clone());
        info.layout = Some(LAYOUT.to_string());
        info.warnings.clone_from(&self.server.warnings);
        Ok(info)
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        let mut call = self.call(queue);
        call.arg(stored_id(id));
        let mut reply = self.run(&script::CANCEL, &call, queue).await?;
        self.time(&mut reply)?;
        match reply.text()?.as_str() {
            "none" => Ok(CancelAnswer::NotFound),
            "asked" => Ok(CancelAnswer::Requested),
            "cancelled" => Ok(CancelAnswer::Cancelled),
            _ => Ok(CancelAnswer::AlreadyFinal(record::read(queue, reply.value(), None)?.identity().0)),
        }
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        let purges = command == Command::Purge;
        let mut call = self.call(queue);
        match command {
            Command::Pause => call.arg("pause"),
            Command::Resume => call.arg("resume"),
            Command::Replay(id) => call.arg("replay").arg(stored_id(&id)),
            Command::Delete(id) => call.arg("delete").arg(stored_id(&id)),
            Command::Purge => call.arg("purge").number(STEP),
            Command::Limit(limit) => call.arg("limit").arg(limit.map(|n| n.to_string()).unwrap_or_default()),
            Command::Tell(worker, command) => {
                let command =
                    rmp_serde::to_vec(&command).map_err(|error| QueueError::invalid(error.to_string()))?;
                call.arg("tell").arg(worker.to_string()).arg(command)
            }
            _ => {
                return Err(QueueError::Unsupported {
                    what: "such command",
                    remedy: "upgrade task-queue-redis",
                });
            }
        };
        let mut done = 0;
        loop {
            let mut reply = self.run(&script::CONTROL, &call, queue).await?;
            self.time(&mut reply)?;
            match reply.text()?.as_str() {
                "done" => {
                    done += reply.number()?;
                    if !(purges && reply.flag()?) {
                        return Ok(ControlAnswer::Done(done));
                    }
                }
                "status" => {
                    let (status, _) = record::read(queue, reply.value(), None)?.identity();
                    return Ok(ControlAnswer::WrongStatus(status));
                }
                "duplicate" => {
                    let owner = read_id(&reply.text()?);
                    let owner = owner.ok_or_else(|| corrupt("the owner of a unique key can't be read"))?;
                    return Ok(ControlAnswer::DuplicateOf(owner));
                }
                _ => return Ok(ControlAnswer::NotFound),
            }
        }
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        stats::stats(self, queue).await
    }

    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        list::list(self, queue, filter).await
    }

    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        stats::explain(self, queue, id).await
    }

    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        let key = self.link.target.keys.queues();
        let mut found = Reply::new(self.link.send(redis::cmd("SMEMBERS").arg(&key), None).await?)?;
        let mut names: Vec<Name> = Vec::new();
        while !found.is_empty() {
            names.extend(found.text()?.parse::<Name>().ok());
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Ok(names)
    }

    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        let mut call = self.call(queue);
        call.number(0).arg(stored_id(id));
        let mut reply = self.run(&script::LOOK, &call, queue).await?;
        let now = self.time(&mut reply)?;
        let view = reply.value();
        let stored = if view == Value::Nil { None } else { record::read(queue, view, None)?.stored(now) };
        let message = stored.map(|stored| TaskMessage::from_record(queue.clone(), id.clone(), &stored));
        message.transpose().map_err(|error| corrupt(&format!("task {id}: {error}")))
    }

    async fn detached(&self) -> Result<Option<Self>, QueueError> {
        let link = Link::new(self.link.target.clone())?;
        link.clock.set(self.link.clock.now().as_millis());
        Ok(Some(Self { link: Arc::new(link), server: self.server.clone() }))
    }
}

impl RedisQueue {
    /// For people to look at, so nothing depends on it, and a server that refuses it is not asked twice in one call.
    async fn note_queue(&self, queue: &Name) {
        let mut command = redis::cmd("SADD");
        command.arg(self.link.target.keys.queues()).arg(queue.as_str());
        if self.link.first_use(queue)
            && let Err(error) = self.link.send(&command, None).await
        {
            tracing::debug!(%error, %queue, "the queue is not listed");
        }
    }
}

impl FromUrl for RedisQueue {
    const URLS: &'static str = "host:port, redis://…, rediss://…, redis+unix://…";

    fn accepts(url: &str) -> bool {
        url::accepts(url)
    }

    async fn from_url(url: &str) -> Result<Self, QueueError> {
        Self::connect(url).await
    }
}
