use std::{fmt, sync::Arc, time::Duration};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Capabilities, Claim, Claimed, Command, ControlAnswer, EnqueueReply,
    Explanation, Filter, FromUrl, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page, Queue,
    QueueError, QueueStats, SettleReply, SettleRequest, TaskId, TaskMessage, Timestamp,
};

use crate::{
    beat, claim,
    connect::Link,
    control, enqueue,
    error::at_connect,
    explain,
    info::{self, Server},
    list,
    reply::Reply,
    script::{self, Call},
    settle, stats, url, wait,
};

/// The version of the layout that this release writes, and the newest that it reads.
const LAYOUT: u32 = 1;

/// The Redis backend: all of it is reached through [`Queue`]. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RedisQueue {
    pub(crate) link: Arc<Link>,
    pub(crate) server: Arc<Server>,
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisQueue({} at {})", self.server.name, self.link.target.shown)
    }
}

impl RedisQueue {
    /// Connects to a Redis: `host:port`, `redis://…`, `rediss://…` or `redis+unix://…`; `?prefix=` sets the prefix of
    /// its keys (default `tf`), `?ca=` names the file of an authority for TLS that the system does not know, `cert=`
    /// and `key=` those of a certificate of our own. A password that the URL does not have is taken from REDIS_PASSWORD,
    /// or from the file that REDIS_PASSWORD_FILE names.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] for a wrong URL, [`QueueError::Unreachable`] if nothing answers there, and
    /// [`QueueError::Refused`] for a wrong password, a server that is too old or a layout that is too new.
    pub async fn connect(url: &str) -> Result<Self, QueueError> {
        let link = Link::new(url::parse(url, variable)?)?;
        let text = match link.try_send(&["INFO", "everything"]).await? {
            Ok(text) => Some(Reply::single(text).text()?),
            Err(error) if error.code() == Some("NOPERM") => None,
            Err(error) => return Err(at_connect(&error, &link.target.shown)),
        };
        // CONFIG is often closed: then no more than every second is claimed
        let fsync = link.send(&["CONFIG", "GET", "appendfsync"], None).await.ok();
        let fsync = fsync.and_then(|pair| Reply::new(pair).ok()).and_then(|mut pair| {
            pair.value();
            pair.text().ok()
        });
        let server = match text {
            Some(text) => info::check(&text, fsync.as_deref())?,
            None => Server::hidden(),
        };
        let queue = Self { link: Arc::new(link), server: Arc::new(server) };
        queue.check_layout().await?;
        Ok(queue)
    }

    /// Connects to the Redis that the environment names ([`url_from_env`](crate::url_from_env)), else to
    /// `localhost:6379`.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn from_env() -> Result<Self, QueueError> {
        Self::connect(&url::url_from_env(variable).unwrap_or_else(|| "localhost:6379".into())).await
    }

    async fn check_layout(&self) -> Result<(), QueueError> {
        let key = self.link.target.keys.layout();
        let found = Reply::single(self.link.send(&["GET", &key], None).await?).text()?;
        if found.is_empty() {
            // a full server may refuse this; the next that connects writes it
            self.link.send(&["SET", &key, &LAYOUT.to_string(), "NX"], None).await.ok();
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
            let by = by.as_millis().to_string();
            self.link.send(&["HINCRBY", &meta, field, &by], Some(queue)).await?;
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
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Queue for RedisQueue {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        enqueue::enqueue(self, batch).await
    }

    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        claim::dequeue(self, claim).await
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        settle::settle(self, request).await
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        beat::heartbeat(self, beat).await
    }

    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        claim::release(self, queue, worker).await
    }

    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        wait::look(self, queue, id, false).await
    }

    async fn info(&self) -> Result<BackendInfo, QueueError> {
        let name = format!("{} at {}", self.server.name, self.link.target.shown);
        let mut info = BackendInfo::new(name, Capabilities::all(), self.server.durability.clone());
        info.layout = Some(LAYOUT.to_string());
        info.warnings.clone_from(&self.server.warnings);
        Ok(info)
    }

    async fn wait(&self, queue: &Name, id: &TaskId, timeout: Duration) -> Result<Lookup, QueueError> {
        wait::wait(self, queue, id, timeout).await
    }

    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<CancelAnswer, QueueError> {
        control::cancel(self, queue, id).await
    }

    async fn control(&self, queue: &Name, command: Command) -> Result<ControlAnswer, QueueError> {
        control::control(self, queue, command).await
    }

    async fn stats(&self, queue: &Name) -> Result<QueueStats, QueueError> {
        stats::stats(self, queue).await
    }

    async fn list(&self, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
        list::list(self, queue, filter).await
    }

    async fn explain(&self, queue: &Name, id: &TaskId) -> Result<Option<Explanation>, QueueError> {
        explain::explain(self, queue, id).await
    }

    async fn queues(&self) -> Result<Vec<Name>, QueueError> {
        let key = self.link.target.keys.queues();
        let mut found = Reply::new(self.link.send(&["SMEMBERS", &key], None).await?)?;
        let mut names: Vec<Name> = Vec::new();
        while !found.is_empty() {
            names.extend(found.text()?.parse::<Name>().ok());
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Ok(names)
    }

    async fn message(&self, queue: &Name, id: &TaskId) -> Result<Option<TaskMessage>, QueueError> {
        wait::message(self, queue, id).await
    }

    async fn detached(&self) -> Result<Option<Self>, QueueError> {
        let link = Link::new(self.link.target.clone())?;
        link.clock.set(self.link.clock.now().as_millis());
        Ok(Some(Self { link: Arc::new(link), server: self.server.clone() }))
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
