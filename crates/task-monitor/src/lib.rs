//! Metrics and probes over HTTP for any queue of the task framework.
//!
//! ```
//! use std::{net::Ipv4Addr, sync::Arc};
//! use task_core::{Name, TaskQueue};
//! use task_monitor::{Monitor, MonitorError, Observations};
//!
//! /// Runs until it is dropped.
//! async fn watch(queue: TaskQueue, observations: Arc<Observations>) -> Result<(), MonitorError> {
//!     let monitor = Monitor::bind(Ipv4Addr::LOCALHOST.into(), 8000)?; // a port in use is an error that names it
//!     monitor.serve(queue, vec![Name::DEFAULT_QUEUE], observations).await
//! }
//! ```
//!
//! - `/metrics`: text in the OpenMetrics format, which Prometheus reads; the table below says what is in it.
//! - `/healthz`: 200 while the process answers at all.
//! - `/readyz`: 200 while tasks can be processed; 503, with the reason in words, while the queue is away or every
//!   worker is parked. What the backend warns of is in its text.
//!
//! Everything about a queue is asked of the backend at each scrape, so totals survive a restart of this process, and
//! several that watch one queue tell the same. While the queue is away, the last numbers are served with
//! `task_queue_up` 0. What only this process sees goes through [`Observations`].
#![doc = include_str!("../metrics.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod encode;
mod listen;
mod metric;
mod monitor;
mod observations;
mod scrape;

pub use metric::{METRICS, Metric, MetricKind};
pub use monitor::{Monitor, MonitorError};
pub use observations::Observations;
