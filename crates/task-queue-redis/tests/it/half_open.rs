//! Connections over which nothing comes any more, and nobody says so; and servers that are slow, which is another thing.

use std::{
    net::Ipv4Addr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use task_queue_redis::{
    RedisQueue,
    task_core::{Queue as _, QueueError},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{server::Server, stage::*};

/// Something between client and server that forgets connections.
struct Between {
    port: u16,
    forgotten: Arc<AtomicU64>,
}

impl Between {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let between =
            Self { port: listener.local_addr().unwrap().port(), forgotten: Arc::new(AtomicU64::new(0)) };
        let forgotten = between.forgotten.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (times, forgotten) = (forgotten.load(Ordering::SeqCst), forgotten.clone());
                tokio::spawn(async move {
                    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await.unwrap();
                    let ((from, to), (back, out)) = (client.into_split(), server.into_split());
                    let lives = || {
                        let forgotten = forgotten.clone();
                        move || forgotten.load(Ordering::SeqCst) == times
                    };
                    tokio::join!(pump(from, out, lives()), pump(back, to, lives()));
                });
            }
        });
        between
    }

    async fn queue(&self) -> RedisQueue {
        RedisQueue::connect(&format!("127.0.0.1:{}", self.port)).await.unwrap()
    }

    /// Whatever is sent over the connections that are open now is lost.
    fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lives: impl Fn() -> bool) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if !lives() {
            std::future::pending::<()>().await; // and neither end is closed
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// It took five seconds, whatever the server answered to others meanwhile.
#[tokio::test]
async fn a_call_on_a_half_open_connection_is_given_up_in_about_a_second() {
    let server = Server::start(&[]);
    let between = Between::before(server.port).await;
    let queue = between.queue().await;
    put(&queue, "a", options()).await;
    between.forget();
    let began = Instant::now();
    let error = queue.stats(&Q).await.unwrap_err();
    let took = began.elapsed();
    assert!(matches!(error, QueueError::AnswerLost(_)), "{error}");
    assert!((Duration::from_secs(1)..Duration::from_secs(3)).contains(&took), "{took:?}");
    assert_eq!(queue.stats(&Q).await.unwrap().pending, 1, "the next goes over another");
}

#[tokio::test]
async fn whoever_waits_beside_a_half_open_connection_looks_as_soon_as_that_is_known() {
    let server = Server::start(&[]);
    let between = Between::before(server.port).await;
    let (queue, by_hand) = (between.queue().await, server.queue().await);
    let waits = tokio::spawn({
        let queue = queue.clone();
        async move { queue.dequeue(long_claim()).await }
    });
    server.see("waits", "blpop", 1).await;
    between.forget();
    put(&by_hand, "a", options()).await; // the token for it goes to whoever does not hear of it
    let began = Instant::now();
    assert!(queue.stats(&Q).await.is_err());
    let got = waits.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(got.tasks.len(), 1);
}

/// A sync that stalls, or another program's script, must not look like a connection that is dead.
#[tokio::test]
async fn a_server_that_stands_still_for_two_seconds_is_waited_for() {
    const STILL: Duration = Duration::from_secs(2);
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    let pid = server.pid().to_string();
    let signal = move |signal: &str| Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(signal("-STOP").success());
    let goes_on = std::thread::spawn(move || {
        std::thread::sleep(STILL);
        signal("-CONT")
    });
    let began = Instant::now();
    assert_eq!(queue.stats(&Q).await.unwrap().pending, 1);
    assert!(began.elapsed() >= Duration::from_secs(1), "it was asked while it stood still");
    assert!(goes_on.join().unwrap().success());
}
