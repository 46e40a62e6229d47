//! A TCP proxy in front of the server, through which all clients go, and which misbehaves when it is told to.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// How it is with all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// Whatever is sent arrives so much later.
    Slow(Duration),
    /// Who is there goes on; nobody is let in.
    Closed,
    /// Whatever is sent is lost and nobody is told, then or later: a connection that was used is half open for ever.
    Silent,
}

/// What becomes of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    GoesOn,
    Cut,
    /// Its next reply is lost, and it is cut.
    LosesReply,
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    server: AtomicU16,
    weather: watch::Sender<Weather>,
    lines: Mutex<BTreeMap<u64, watch::Sender<Fate>>>,
    carried: AtomicU64,
}

impl Proxy {
    /// One that leads to this port.
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: AtomicU16::new(server),
            weather: watch::Sender::new(Weather::Fair),
            lines: Mutex::default(),
            carried: AtomicU64::new(0),
        });
        let listening = tokio::spawn(listen(listener, shared.clone()));
        Self { port, shared, listening }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// From now on, new connections lead to this port.
    pub(crate) fn lead_to(&self, server: u16) {
        self.shared.server.store(server, Ordering::Relaxed);
    }

    /// Cuts so many of a hundred connections.
    pub(crate) fn cut(&self, percent: u32, rng: &mut fastrand::Rng) {
        self.strike(Fate::Cut, percent, rng);
    }

    /// So many of a hundred connections lose their next reply.
    pub(crate) fn lose_replies(&self, percent: u32, rng: &mut fastrand::Rng) {
        self.strike(Fate::LosesReply, percent, rng);
    }

    fn strike(&self, fate: Fate, percent: u32, rng: &mut fastrand::Rng) {
        for line in self.shared.lines.lock().unwrap().values() {
            if rng.u32(0..100) < percent {
                line.send_replace(fate);
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut(100, &mut fastrand::Rng::with_seed(0));
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let number = shared.carried.fetch_add(1, Ordering::Relaxed);
            let (line, fate) = watch::channel(Fate::GoesOn);
            shared.lines.lock().unwrap().insert(number, line);
            carry(&shared, client, fate).await.ok(); // as a connection ends that breaks
            shared.lines.lock().unwrap().remove(&number);
        });
    }
}

/// Carries a connection to its end; it is closed on both sides when this returns.
async fn carry(shared: &Shared, client: TcpStream, mut fate: watch::Receiver<Fate>) -> io::Result<()> {
    let weather = shared.weather.subscribe();
    let now = *weather.borrow();
    if now == Weather::Closed {
        return Ok(());
    }
    let mut cut = fate.clone();
    let carried = async {
        if now == Weather::Silent {
            std::future::pending::<()>().await; // connected, and nobody is there
        }
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.server.load(Ordering::Relaxed))).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let mut never = watch::channel(Fate::GoesOn).1;
        // either end closes both, as a connection does that is not half open
        tokio::select! {
            ended = pump(from_client, to_server, weather.clone(), &mut never) => ended,
            ended = pump(from_server, to_client, weather, &mut fate) => ended,
        }
    };
    tokio::select! {
        ended = carried => ended,
        _ = cut.wait_for(|fate| *fate == Fate::Cut) => Ok(()),
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    weather: watch::Receiver<Weather>,
    fate: &mut watch::Receiver<Fate>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 || *fate.borrow() == Fate::LosesReply {
            return Ok(());
        }
        let now = *weather.borrow();
        match now {
            Weather::Fair | Weather::Closed => {}
            Weather::Slow(latency) => sleep(latency).await, // the latency is what is asked for
            Weather::Silent => std::future::pending().await,
        }
        to.write_all(&buffer[..length]).await?;
    }
}
