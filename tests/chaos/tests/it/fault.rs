//! What goes wrong.

use std::time::Duration;

use chaos::now;
use fastrand::Rng;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::block_in_place, time::sleep};

use crate::{crew::Part, proxy::Weather, stage::Stage, system};

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident: $words:literal,)*) => {
        /// A fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            /// Each of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it is called.
            pub(crate) fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

faults! {
    WorkerKilled: "kill -9 of a worker under the orchestrator",
    OrchestratorKilled: "kill -9 of the orchestrator",
    LoneWorkerKilled: "kill -9 of a worker without orchestrator",
    AllKilled: "kill -9 of orchestrator and workers together",
    WorkerFrozen: "a worker stopped for two leases",
    AllFrozen: "orchestrator and workers stopped for two leases",
    ClientsKilled: "CLIENT KILL of all connections",
    ScriptsFlushed: "SCRIPT FLUSH",
    Latency: "a latency of 20 to 80 ms",
    Cut: "half of all connections cut",
    NobodyLetIn: "all connections cut, and none let in for 3 s",
    HalfOpen: "all connections half open",
    ReplyLost: "half of all connections lose a reply",
    ServerKilled: "kill -9 of redis-server, back after 1 s",
    ServerRestarted: "kill -9 of redis-server, ten or fifty times at once",
    ServerStalled: "redis-server stopped for longer than a lease",
    MemoryFull: "redis-server out of memory",
    DiskFull: "a full disk under redis-server",
    FailedOver: "FAILOVER to the replica",
    ReplicaPromoted: "a lagging replica promoted",
    ClockForward: "the server's clock a minute ahead",
    ClockBack: "the server's clock three seconds back",
    ClockFarBack: "the server's clock two minutes back, and ahead again",
    WorkersClocks: "the workers' clocks an hour ahead, an hour back, and right",
    SlowReader: "a client that asks for much and reads nothing",
    CoresBusy: "every core busy for longer than a lease",
}

/// Of a worker, as it is by default.
const LEASE: Duration = Duration::from_secs(12);

/// A fault that happened.
#[derive(Clone, Debug)]
pub(crate) struct Injected {
    pub(crate) fault: Fault,
    /// When it began.
    pub(crate) at: u64,
    /// When everything was there again that had been taken away.
    pub(crate) over: u64,
    /// The processes whose tasks others must take over.
    pub(crate) victims: Vec<u32>,
}

impl Fault {
    /// Whether it lasts for some leases.
    pub(crate) fn is_long(self) -> bool {
        matches!(self, Self::WorkerFrozen | Self::AllFrozen | Self::ServerStalled | Self::CoresBusy)
    }

    /// Whether the order of starts can't be told after it: the server lost something, or its clock was wrong.
    pub(crate) fn spoils_the_view(self) -> bool {
        matches!(self, Self::ReplicaPromoted | Self::ClockForward | Self::ClockBack | Self::ClockFarBack)
    }

    /// Lets it happen, and returns once it is over. Where it sleeps, that is how long the fault lasts.
    pub(crate) async fn inject(self, stage: &mut Stage, rng: &mut Rng) -> Injected {
        let at = now();
        let mut victims = Vec::new();
        match self {
            Self::WorkerKilled => {
                let workers = stage.fleet.workers();
                if let Some(worker) = rng.choice(&workers) {
                    stage.fleet.kill(*worker);
                    victims.push(*worker);
                }
            }
            Self::LoneWorkerKilled => {
                let part = rng.choice(Part::ALL).expect("there are some");
                victims.push(stage.fleet.kill_lone(part));
            }
            Self::OrchestratorKilled => {
                stage.fleet.replace_service(rng.choice(Part::ALL).expect("there are some"));
            }
            Self::AllKilled => victims = stage.fleet.kill_all(),
            Self::WorkerFrozen => {
                let all = [stage.fleet.workers(), stage.fleet.lone_workers()].concat();
                victims.extend(rng.choice(&all));
                stage.fleet.freeze(&victims);
                sleep(2 * LEASE).await;
                stage.fleet.thaw(&victims);
            }
            Self::AllFrozen => {
                let all = stage.fleet.all();
                stage.fleet.freeze(&all);
                sleep(2 * LEASE).await;
                stage.fleet.thaw(&all);
            }
            Self::ClientsKilled => {
                for kind in ["normal", "pubsub"] {
                    stage.server.command(&["client", "kill", "type", kind]);
                }
            }
            Self::ScriptsFlushed => drop(stage.server.command(&["script", "flush"])),
            Self::Latency => {
                stage.proxy.set(Weather::Slow(Duration::from_millis(rng.u64(20..80))));
                sleep(Duration::from_secs(3)).await;
                stage.proxy.set(Weather::Fair);
            }
            Self::Cut => stage.proxy.cut(50, rng),
            Self::NobodyLetIn => {
                stage.proxy.set(Weather::Closed);
                stage.proxy.cut(100, rng);
                sleep(Duration::from_secs(3)).await;
                stage.proxy.set(Weather::Fair);
            }
            Self::HalfOpen => {
                stage.proxy.set(Weather::Silent);
                sleep(Duration::from_secs(1)).await;
                stage.proxy.set(Weather::Fair);
            }
            Self::ReplyLost => stage.proxy.lose_replies(50, rng),
            Self::ServerKilled => {
                block_in_place(|| stage.server.kill());
                sleep(Duration::from_secs(1)).await;
                block_in_place(|| stage.server.start_again());
                stage.server.may_have_lost(at);
            }
            Self::ServerRestarted => {
                for _ in 0..stage.scale.restarts {
                    block_in_place(|| {
                        stage.server.kill();
                        stage.server.start_again();
                    });
                    sleep(Duration::from_millis(rng.u64(0..200))).await;
                }
                stage.server.may_have_lost(at);
            }
            Self::ServerStalled => {
                system::stop(stage.server.pid());
                sleep(LEASE + Duration::from_secs(2)).await;
                system::go_on(stage.server.pid());
            }
            Self::MemoryFull => {
                stage.server.command(&["config", "set", "maxmemory", "1"]);
                sleep(Duration::from_secs(2)).await;
                stage.server.command(&["config", "set", "maxmemory", "0"]);
            }
            Self::DiskFull => {
                stage.server.fill_disk();
                sleep(Duration::from_secs(2)).await;
                stage.server.free_disk().await;
            }
            Self::FailedOver => {
                let to = stage.server.fail_over().await;
                stage.proxy.lead_to(to);
            }
            Self::ReplicaPromoted => {
                stage.server.cut_replication().await;
                stage.progress(100).await;
                stage.server.promote(at);
                stage.proxy.lead_to(stage.server.port());
            }
            Self::ClockForward => stage.set_clock(60_000),
            Self::ClockBack => {
                stage.set_clock(-3000);
                sleep(Duration::from_secs(3)).await; // until it has caught up with itself
            }
            Self::ClockFarBack => {
                stage.set_clock(-120_000);
                sleep(Duration::from_secs(3)).await;
                stage.set_clock(120_000);
            }
            Self::WorkersClocks => {
                for ahead in [3600, -3600, 0] {
                    let clock = stage.fleet.crew.clock.as_ref().expect("the stage knew of it");
                    clock.set(ahead);
                    stage.progress(50).await;
                }
            }
            Self::SlowReader => {
                let mut reader = TcpStream::connect(stage.proxy.url()).await.unwrap();
                reader.write_all(&b"HGETALL tf:{tasks}:tasks\r\n".repeat(20)).await.unwrap();
                sleep(Duration::from_secs(2)).await;
            }
            Self::CoresBusy => system::keep_busy(LEASE + Duration::from_secs(3)).await,
        }
        Injected { fault: self, at, over: now(), victims }
    }
}
