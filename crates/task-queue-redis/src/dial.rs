//! Connections are made, and the pool decides which are still good.

use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use tokio::time::timeout;

use crate::{
    url::Target,
    wire::{Address, Connection, WireError},
};

/// To make a connection, with TLS and login.
const CONNECT: Duration = Duration::from_secs(3);
/// For the answer to a short command.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// A connection that lay idle for longer is not used again: something between us may have dropped it unsaid, and to ask
/// takes as long as to connect anew. That it was closed is known without asking.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Makes connections to one server, wherever it is by then.
#[derive(Clone)]
pub(crate) struct Dialer(Target);

impl Dialer {
    pub(crate) fn new(target: &Target) -> Self {
        Self(target.clone())
    }

    /// A connection that names itself `task-queue:` and this, for whoever reads CLIENT LIST.
    pub(crate) async fn dial(&self, name: &str) -> Result<Connection, WireError> {
        let dial = async {
            let address = match &self.0.sentinels {
                None => self.0.address.clone(),
                Some(sentinels) => {
                    let (host, port) = sentinels.primary().await?;
                    Address::Tcp(host, port)
                }
            };
            Connection::open(&address, &self.0.login, &format!("task-queue:{name}")).await
        };
        let late = || WireError::timed_out(format!("no connection within {CONNECT:?}"));
        timeout(CONNECT, dial).await.unwrap_or_else(|_| Err(late()))
    }
}

/// The pool's way to make and check connections.
pub(crate) struct Manager(pub(crate) Dialer);

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = WireError;

    async fn create(&self) -> Result<Connection, WireError> {
        self.0.dial("commands").await
    }

    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<WireError> {
        if !connection.is_usable() {
            return Err(RecycleError::message("it was closed, or left in the middle of a call"));
        }
        if metrics.last_used() >= LONG {
            return Err(RecycleError::message("it lay idle for long"));
        }
        Ok(())
    }
}
