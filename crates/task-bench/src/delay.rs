//! A network with a delay: what goes through it arrives so much later, and nothing is held up by what went before.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// A way to a server on which everything takes so long, in each direction.
#[derive(Debug)]
pub(crate) struct Delay {
    /// Where to connect to.
    pub(crate) address: String,
    accepts: JoinHandle<()>,
}

impl Delay {
    pub(crate) async fn before(server: String, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let accepts = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                // its own packets must not wait for one another
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                carry(from_client, to_server, delay);
                carry(from_server, to_client, delay);
            }
        });
        Ok(Self { address, accepts })
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

/// Carries bytes until one of the ends is closed.
fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_comes_back_after_twice_the_delay_and_whole() {
        const DELAY: Duration = Duration::from_millis(20);
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let delay = Delay::before(server.local_addr().unwrap().to_string(), DELAY).await.unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await.unwrap();
        });
        let mut client = TcpStream::connect(&delay.address).await.unwrap();
        let (sent, start) = (vec![7; 100_000], Instant::now());
        client.write_all(&sent).await.unwrap();
        let mut back = vec![0; sent.len()];
        client.read_exact(&mut back).await.unwrap();
        assert!(back == sent && start.elapsed() >= 2 * DELAY, "{:?}", start.elapsed());
    }
}
