//! What a service manager is told of us: sd_notify's words, as systemd's `Type=notify` and `WatchdogSec=` ask for them.

use std::{convert::Infallible, env, future::pending, time::Duration};

use sd_notify::NotifyState as Word;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::crew::Health;

/// Something to tell.
enum Said {
    Ready,
    Lives,
    Status(String),
}

/// Says that we are ready, then how many workers there are and that we live, until it is dropped. Where nobody listens, it
/// says nothing.
///
/// Workers inside this process speak too, and each from a thread of its own: tasks that keep every thread busy are no
/// reason to end us.
pub(crate) async fn tell(mut health: watch::Receiver<Health>) -> Infallible {
    if env::var_os("NOTIFY_SOCKET").is_none() {
        return pending().await;
    }
    // three times as often as is asked for, so that one delay is no alarm
    let pause = sd_notify::watchdog_enabled().map(|asked| (asked / 3).max(Duration::from_millis(10)));
    let mut lives = pause.map(interval);
    if let Some(lives) = &mut lives {
        lives.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    say(Said::Ready).await;
    let mut before = String::new();
    loop {
        let now = words(*health.borrow_and_update());
        if now != before {
            say(Said::Status(now.clone())).await;
            before = now;
        }
        // a tick or a change that loses is found in the next turn
        tokio::select! {
            () = tick(&mut lives) => say(Said::Lives).await,
            Ok(()) = health.changed() => {}
        }
    }
}

fn words(Health { alive, all_parked }: Health) -> String {
    let parked = if all_parked { "; all are parked, since they come to nothing" } else { "" };
    format!("{alive} workers{parked}")
}

async fn tick(lives: &mut Option<Interval>) {
    match lives {
        Some(lives) => drop(lives.tick().await),
        None => pending().await,
    }
}

async fn say(said: Said) {
    // who does not read makes a send wait: never on a thread that others need
    let send = move || {
        sd_notify::notify(&[match &said {
            Said::Ready => Word::Ready,
            Said::Lives => Word::Watchdog,
            Said::Status(words) => Word::Status(words),
        }])
    };
    // nobody who listens, or one who does not any more: either is fine
    let _ = spawn_blocking(send).await;
}
