use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use task_core::{Name, TaskQueue};
use tokio::sync::oneshot;

use crate::{Observations, encode::encode, listen::Bounded, scrape::Scraper};

/// Why metrics and probes can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// Somebody else listens there.
    #[error(
        "port {port} of {host} is in use, and metrics were to be served there: end who has it, or choose another port \
         (--monitoring-port), or none (--no-monitoring)"
    )]
    PortInUse {
        /// The address.
        host: IpAddr,
        /// The port.
        port: u16,
    },
    /// The system refuses the address: it is none of this machine, or a low port without the right to it.
    #[error("can't serve metrics on {address}: {source}")]
    Refused {
        /// The address and port.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system ended it.
    #[error("serving metrics ended: {0}")]
    Ended(#[source] io::Error),
}

/// The place where metrics and probes are served: a port that is open.
#[derive(Debug)]
pub struct Monitor {
    listener: TcpListener,
    address: SocketAddr,
}

impl Monitor {
    /// Opens the port; 0 takes a free one. From now on clients can connect, and are answered once it is
    /// [served](Self::serve).
    ///
    /// # Errors
    /// [`MonitorError::PortInUse`], [`MonitorError::Refused`].
    pub fn bind(host: IpAddr, port: u16) -> Result<Self, MonitorError> {
        let address = SocketAddr::new(host, port);
        let open = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        open().map_err(|source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => MonitorError::PortInUse { host, port },
            _ => MonitorError::Refused { address, source },
        })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers, until it is dropped, what is asked about these named queues: over 64 connections at once at most, of
    /// which one that is silent for 30 seconds is closed.
    ///
    /// # Errors
    /// [`MonitorError::Ended`] if the port can't be used any more.
    ///
    /// # Cancel safety
    /// To drop it is how it ends: the port is closed, and connections end with the answer that they wait for.
    pub async fn serve(
        self,
        queue: TaskQueue,
        queues: Vec<Name>,
        observations: Arc<Observations>,
    ) -> Result<(), MonitorError> {
        let site = Site { scraper: Arc::new(Scraper::new(queue, queues)), observations };
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .fallback(async || (StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n"))
            .with_state(site);
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(MonitorError::Ended)?;
        // connections are tasks of their own: the end of this future is told to them by the end of `alive`
        let (alive, over) = oneshot::channel::<()>();
        let served = axum::serve(Bounded::new(listener), router).with_graceful_shutdown(async {
            let _ = over.await;
        });
        let ended = served.await;
        drop(alive);
        ended.map_err(MonitorError::Ended)
    }
}

#[derive(Clone)]
struct Site {
    scraper: Arc<Scraper>,
    observations: Arc<Observations>,
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn metrics(State(site): State<Site>) -> impl IntoResponse {
    match encode(site.scraper.scrape().await, site.observations) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("can't write metrics: {error}\n")).into_response()
        }
    }
}

async fn readyz(State(site): State<Site>) -> (StatusCode, String) {
    let queue = site.scraper.warnings().await;
    let mut wrong = Vec::new();
    if site.observations.all_parked() {
        wrong.push(
            "every worker is parked: each failed to start several times; the log says why\n".to_owned(),
        );
    }
    match queue {
        Err(error) => wrong.push(format!("{error}\n")),
        Ok(warnings) if wrong.is_empty() => {
            let text = warnings.iter().map(|warning| format!("warning: {warning}\n"));
            return (StatusCode::OK, ["ready\n".to_owned()].into_iter().chain(text).collect());
        }
        Ok(_) => {}
    }
    (StatusCode::SERVICE_UNAVAILABLE, wrong.concat())
}
