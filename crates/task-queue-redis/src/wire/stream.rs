#[cfg(feature = "tls")]
use std::sync::Arc;
use std::{io, path::PathBuf};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
    task::JoinSet,
};

/// The bytes of a connection, whatever carries them.
pub(crate) type Stream = Box<dyn Duplex>;

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Duplex for T {}

/// Where a server listens, and how it is spoken to.
#[derive(Clone)]
pub(crate) enum Address {
    Tcp(String, u16),
    #[cfg(feature = "tls")]
    Tls(String, u16, Arc<rustls::ClientConfig>),
    Unix(PathBuf),
}

impl Address {
    pub(super) async fn connect(&self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(host, port) => Box::new(tcp(host, *port).await?),
            #[cfg(feature = "tls")]
            Self::Tls(host, port, config) => {
                let name = rustls::pki_types::ServerName::try_from(host.clone())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
                let stream = tcp(host, *port).await?;
                Box::new(tokio_rustls::TlsConnector::from(config.clone()).connect(name, stream).await?)
            }
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    // all at once: nobody may answer at the first of them, and say so after minutes
    let mut tries: JoinSet<_> = lookup_host((host, port)).await?.map(TcpStream::connect).collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(tried) = tries.join_next().await {
        match tried? {
            Ok(stream) => {
                // a call is one write: it is not to wait for another
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
