//! A network with a delay: what goes through it arrives so much later, and nothing is held up by what went before.
//!
//! By threads: the runtime's timers know milliseconds, and here half of one counts.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A way to `server` on which everything takes so long, and a tenth of a millisecond more, in each direction; the address
/// to connect to. It stays for as long as this program.
pub(crate) fn before(server: String, delay: Duration) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for client in listener.incoming() {
            let carried = client.and_then(|client| {
                let server = TcpStream::connect(&server)?;
                carry(client.try_clone()?, server.try_clone()?, delay)?;
                carry(server, client, delay)
            });
            if let Err(error) = carried {
                eprintln!("task-bench: a connection is not carried to {server}: {error}");
            }
        }
    });
    Ok(address)
}

/// Carries bytes until one of the ends is closed.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) -> io::Result<()> {
    // its packets must not wait for one another
    to.set_nodelay(true)?;
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(1024);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).is_err() {
                break;
            }
        }
        from.shutdown(Shutdown::Read).ok();
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Write).ok();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_back_after_twice_the_delay_and_whole_and_an_end_is_passed_on() {
        const DELAY: Duration = Duration::from_millis(20);
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = before(server.local_addr().unwrap().to_string(), DELAY).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut back = stream.try_clone().unwrap();
            io::copy(&mut stream, &mut back).unwrap();
            back.shutdown(Shutdown::Write).unwrap();
        });
        let mut client = TcpStream::connect(&address).unwrap();
        let (sent, start) = (vec![7; 100_000], Instant::now());
        client.write_all(&sent).unwrap();
        let mut back = vec![0; sent.len()];
        client.read_exact(&mut back).unwrap();
        assert!(back == sent && start.elapsed() >= 2 * DELAY, "{:?}", start.elapsed());
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut back).unwrap(), 0);
    }
}
