//! Metrics and probes of this process, served by task-monitor.

use std::{convert::Infallible, future::pending, sync::Arc};

use task_core::{Name, TaskQueue};
use task_monitor::{Monitor, MonitorError, Observations};
use tokio::sync::watch;

use crate::{
    crew::Health,
    settings::{Monitoring, Settings},
};

/// Opens the port, before anything else is done: a port in use is a mistake of this machine.
///
/// # Errors
/// If the port can't be had; but a batch goes on without a port that nobody asked for, with a warning.
pub(crate) fn open(settings: &Settings) -> Result<Option<Monitor>, MonitorError> {
    let Some(Monitoring { address, asked_for }) = settings.monitoring else { return Ok(None) };
    match Monitor::bind(address.ip(), address.port()) {
        Ok(monitor) => {
            tracing::info!(address = %monitor.address(), "metrics are served");
            Ok(Some(monitor))
        }
        Err(error) if settings.drain && !asked_for => {
            tracing::warn!("{error}; the batch goes on without them");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Serves until it is dropped; never ends, so that nobody stops working for want of metrics.
pub(crate) async fn serve(
    monitor: Option<Monitor>,
    queue: TaskQueue,
    queues: Vec<Name>,
    observations: Arc<Observations>,
    mut health: watch::Receiver<Health>,
) -> Infallible {
    let tell = async {
        loop {
            let Health { alive, all_parked } = *health.borrow_and_update();
            observations.set_alive(alive);
            observations.set_all_parked(all_parked);
            if health.changed().await.is_err() {
                break;
            }
        }
        pending::<()>().await;
    };
    let serve = async {
        if let Some(monitor) = monitor
            && let Err(error) = monitor.serve(queue, queues, observations.clone()).await
        {
            tracing::error!(%error, "nobody sees metrics any more");
        }
    };
    tokio::join!(tell, serve);
    pending().await
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn only_a_batch_goes_on_without_a_port_that_nobody_asked_for() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let open = |drain, asked_for| {
            let monitoring = Some(Monitoring { address, asked_for });
            open(&Settings { drain, monitoring, ..Settings::sample() })
        };
        assert!(open(true, false).unwrap().is_none());
        for (drain, asked_for) in [(true, true), (false, false), (false, true)] {
            let error = open(drain, asked_for).unwrap_err().to_string();
            assert!(error.contains(&address.port().to_string()), "{error}");
        }
    }
}
