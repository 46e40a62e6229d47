//! Connections are made, and the pool decides which are still good.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Client, ConnectionInfo, PushInfo, PushKind, RedisError,
    aio::MultiplexedConnection,
};
use task_core::QueueError;
use tokio::{sync::mpsc, time::timeout};

use crate::url::Target;

/// To make a connection, with TLS and login.
const CONNECT: Duration = Duration::from_secs(3);
/// For the answer to a short command. The library's default of 500 ms is switched off: it also hits commands that block.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// A connection that lay idle for longer is asked whether it lives: something between us may have dropped it unsaid. What
/// is said, that it is closed, is known without asking.
const LONG: Duration = Duration::from_secs(60);
/// For the answer to that.
pub(crate) const LIVES: Duration = Duration::from_secs(1);

/// Makes connections to one server, wherever it is by then.
#[derive(Clone)]
pub(crate) struct Dialer {
    target: Target,
    client: Client,
}

/// A connection, and whether the server has closed it.
pub(crate) struct Dialed {
    pub(crate) connection: MultiplexedConnection,
    closed: Arc<AtomicBool>,
}

impl Dialed {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

impl Dialer {
    pub(crate) fn new(target: &Target) -> Result<Self, QueueError> {
        let mut target = target.clone();
        // the version of the protocol in which a connection says by itself what happens to it
        let settings = target.info.redis_settings().clone().set_protocol(redis::ProtocolVersion::RESP3);
        target.info = target.info.set_redis_settings(settings);
        let client = open(&target, target.info.clone()).map_err(|error| {
            QueueError::invalid(format!("`{}` can't be connected to: {error}", target.shown))
        })?;
        Ok(Self { target, client })
    }

    async fn client(&self) -> Result<Client, RedisError> {
        match &self.target.sentinels {
            None => Ok(self.client.clone()),
            Some(sentinels) => {
                let primary = sentinels.primary().await?;
                open(&self.target, self.target.info.clone().set_addr(primary))
            }
        }
    }

    /// A connection that names itself `task-queue:` and this, for whoever reads CLIENT LIST.
    pub(crate) async fn dial(&self, name: &str) -> Result<Dialed, RedisError> {
        let closed = Arc::new(AtomicBool::new(false));
        let told = closed.clone();
        let settings = settings().set_push_sender(move |push: PushInfo| -> Result<(), ()> {
            told.fetch_or(push.kind == PushKind::Disconnection, Ordering::Relaxed);
            Ok(())
        });
        Ok(Dialed { connection: self.make(settings, name).await?, closed })
    }

    /// One that sends news, and in the end that it is closed, here.
    pub(crate) async fn dial_for_news(
        &self,
        name: &str,
        news: mpsc::UnboundedSender<PushInfo>,
    ) -> Result<MultiplexedConnection, RedisError> {
        self.make(settings().set_push_sender(news), name).await
    }

    async fn make(
        &self,
        settings: AsyncConnectionConfig,
        name: &str,
    ) -> Result<MultiplexedConnection, RedisError> {
        let client = self.client().await?;
        let make = async {
            let mut connection = client.get_multiplexed_async_connection_with_config(&settings).await?;
            let mut command = redis::cmd("CLIENT");
            command.arg("SETNAME").arg(format!("task-queue:{name}"));
            // a name is for people: a server that refuses it serves us all the same
            match command.exec_async(&mut connection).await {
                Err(error) if error.is_io_error() || error.is_unrecoverable_error() => Err(error),
                _ => Ok(connection),
            }
        };
        timeout(CONNECT, make).await.unwrap_or_else(|_| {
            let late = format!("no connection within {CONNECT:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, late).into())
        })
    }
}

fn open(target: &Target, info: ConnectionInfo) -> Result<Client, RedisError> {
    #[cfg(feature = "tls")]
    {
        // a program that has chosen its cryptography keeps it
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        if let Some(certificates) = &target.certificates {
            return Client::build_with_tls(info, certificates.clone());
        }
    }
    #[cfg(not(feature = "tls"))]
    let _ = target;
    Client::open(info)
}

fn settings() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None)
}

/// The pool's way to make and check connections.
pub(crate) struct Manager(pub(crate) Dialer);

impl managed::Manager for Manager {
    type Type = Dialed;
    type Error = RedisError;

    async fn create(&self) -> Result<Dialed, RedisError> {
        self.0.dial("commands").await
    }

    async fn recycle(&self, dialed: &mut Dialed, metrics: &Metrics) -> RecycleResult<RedisError> {
        if dialed.is_closed() {
            return Err(RecycleError::message("the server has closed it"));
        }
        // asking each time would double the commands of a client
        if metrics.last_used() < LONG {
            return Ok(());
        }
        redis::cmd("PING").exec_async(&mut dialed.connection).await.map_err(RecycleError::Backend)
    }
}
