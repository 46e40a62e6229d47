//! A queue is opened: the server is reached, and what it says of itself is read.

use std::sync::Arc;

use task_core::QueueError;

use crate::{
    error::refused,
    info::{self, Server},
    link::Link,
    queue::RedisQueue,
    reply::Reply,
    url,
};

/// The version of the layout that this release writes, and the newest that it reads.
pub(crate) const LAYOUT: u32 = 1;

impl RedisQueue {
    /// Connects to a Redis: `host:port`, `redis://…`, `rediss://…`, `redis+unix://…` or `redis+sentinel://…`; `?prefix=` sets the prefix of
    /// its keys (default `tf`), `?ca=` names the file of an authority for TLS that the system does not know, `cert=`
    /// and `key=` those of a certificate of our own. A password that the URL does not have is taken from REDIS_PASSWORD,
    /// or from the file that REDIS_PASSWORD_FILE names.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] for a wrong URL, [`QueueError::Unreachable`] if nothing answers there, and
    /// [`QueueError::Refused`] for a wrong password, a server that is too old or a layout that is too new.
    pub async fn connect(url: &str) -> Result<Self, QueueError> {
        let link = Link::new(url::parse(url, variable)?)?;
        let server = look(&link).await?;
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
}

/// What the server says of itself now.
pub(crate) async fn look(link: &Link) -> Result<Server, QueueError> {
    let text = match link.try_send(&["INFO", "everything"]).await? {
        Ok(text) => Some(Reply::single(text).text()?),
        Err(error) if error.code() == "NOPERM" => None,
        Err(error) => return Err(refused(&error, &link.target)),
    };
    // CONFIG is often closed: then no more than every second is claimed
    let fsync = link.send(&["CONFIG", "GET", "appendfsync"], None).await.ok();
    let fsync = fsync.and_then(|pair| Reply::new(pair).ok()).and_then(|mut pair| {
        pair.value();
        pair.text().ok()
    });
    match text {
        Some(text) => info::check(&text, fsync.as_deref()),
        None => Ok(Server::hidden()),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
