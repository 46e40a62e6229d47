use anyhow::Context as _;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection, cmd};

use crate::{disk, private::Private};

/// A redis-server, seen from outside: what a run costs it.
#[derive(Debug)]
pub(crate) struct Server {
    connection: MultiplexedConnection,
    /// The process of a private one, which ends with this.
    _private: Option<Private>,
}

/// What it has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) cpu_us: f64,
    /// Calls that a client waited for: scripts and blocking pops; what scripts call themselves is not counted.
    pub(crate) calls: u64,
    /// The scripts among them.
    pub(crate) scripts: u64,
    /// Commands of any kind that clients sent.
    pub(crate) commands: u64,
    pub(crate) memory: u64,
}

/// Of SLOWLOG: number, time, microseconds, words, and who called.
type SlowCall = (u64, u64, u64, Vec<Vec<u8>>, String, String);

/// The commands by which the framework's clients speak to a Redis: scripts, and pops that wait.
const SCRIPTS: [&str; 4] = ["evalsha", "eval", "evalsha_ro", "fcall"];
const POPS: [&str; 3] = ["blpop", "blmpop", "brpop"];
/// Of a client too, and of no script of ours.
const OTHERS: [&str; 9] = [
    "ping",
    "hello",
    "auth",
    "client|setinfo",
    "select",
    "script|load",
    "subscribe",
    "psubscribe",
    "unwatch",
];

impl Server {
    pub(crate) async fn connect(url: &str, private: Option<Private>) -> anyhow::Result<Self> {
        let url = url.split('?').next().unwrap_or(url);
        let url = if url.contains("://") { url.to_owned() } else { format!("redis://{url}") };
        // the library's errors may show the URL with its password
        let client = Client::open(url).ok().context("the queue's URL can't be opened for INFO")?;
        // its default limit of half a second is short for a report from a server that is busy
        let settings = AsyncConnectionConfig::new().set_response_timeout(None);
        let connection = client.get_multiplexed_async_connection_with_config(&settings).await?;
        Ok(Self { connection, _private: private })
    }

    pub(crate) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    pub(crate) async fn used(&self) -> anyhow::Result<Used> {
        let mut connection = self.connection.clone();
        let info: String = cmd("INFO").arg("all").query_async(&mut connection).await?;
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("0").trim()
        };
        let number = |name: &str| field(name).parse::<f64>().unwrap_or_default();
        let calls = |commands: &[&str]| -> u64 {
            let count = |command: &&str| {
                let stat = field(&format!("cmdstat_{command}"));
                let calls = stat.split(',').find_map(|pair| pair.strip_prefix("calls="));
                calls.and_then(|calls| calls.parse::<u64>().ok()).unwrap_or(0)
            };
            commands.iter().map(count).sum()
        };
        let (scripts, pops) = (calls(&SCRIPTS), calls(&POPS));
        Ok(Used {
            cpu_us: (number("used_cpu_sys") + number("used_cpu_user")) * 1e6,
            calls: scripts + pops,
            scripts,
            commands: scripts + pops + calls(&OTHERS),
            memory: field("used_memory").parse().unwrap_or(0),
        })
    }

    /// From now on calls that keep others waiting for half a millisecond or more are noted.
    pub(crate) async fn watch_slow_calls(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.clone();
        for (name, value) in [("slowlog-log-slower-than", "500"), ("slowlog-max-len", "10000")] {
            cmd("CONFIG").arg("SET").arg(name).arg(value).exec_async(&mut connection).await?;
        }
        Ok(cmd("SLOWLOG").arg("RESET").exec_async(&mut connection).await?)
    }

    /// How long the scripts took that were noted since this was asked last, in milliseconds.
    pub(crate) async fn slow_calls_ms(&self) -> anyhow::Result<Vec<f64>> {
        let mut connection = self.connection.clone();
        let noted: Vec<SlowCall> = cmd("SLOWLOG").arg("GET").arg(-1).query_async(&mut connection).await?;
        cmd("SLOWLOG").arg("RESET").exec_async(&mut connection).await?;
        let scripts = noted.iter().filter(|(.., words, _, _)| {
            words.first().is_some_and(|word| {
                word.eq_ignore_ascii_case(b"EVALSHA") || word.eq_ignore_ascii_case(b"EVAL")
            })
        });
        Ok(scripts.map(|(_, _, us, ..)| *us as f64 / 1e3).collect())
    }

    /// How often a second the disk of its append-only file makes a small write safe.
    pub(crate) async fn fsyncs_per_s(&self) -> anyhow::Result<f64> {
        let mut connection = self.connection.clone();
        let mut asked = cmd("CONFIG");
        let (_, folder): (String, String) = asked.arg("GET").arg("dir").query_async(&mut connection).await?;
        Ok(tokio::task::spawn_blocking(move || disk::fsyncs_per_s(folder.as_ref())).await??)
    }

    /// The times of so many PINGs, one after the other, in milliseconds; before each is this.
    pub(crate) async fn pings(
        &self,
        number: u64,
        before_each: impl AsyncFn(u64),
    ) -> anyhow::Result<Vec<f64>> {
        let mut connection = self.connection.clone();
        let mut times = Vec::new();
        for n in 0..number {
            before_each(n).await;
            let start = std::time::Instant::now();
            let _: String = cmd("PING").query_async(&mut connection).await?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    }
}
