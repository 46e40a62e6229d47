use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Mistake;

const PORT: u16 = 8000;

/// Where metrics and probes are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Monitoring {
    pub(crate) address: SocketAddr,
    /// It was asked for; else a batch goes on without it where it can't be had.
    pub(crate) asked_for: bool,
}

impl Monitoring {
    pub(super) fn resolve(
        none: bool,
        host: Option<String>,
        port: Option<u16>,
    ) -> Result<Option<Self>, Mistake> {
        if none {
            return Ok(None);
        }
        let asked_for = host.is_some() || port.is_some();
        let address = SocketAddr::new(address(host)?, port.unwrap_or(PORT));
        Ok(Some(Self { address, asked_for }))
    }
}

fn address(host: Option<String>) -> Result<IpAddr, Mistake> {
    let Some(host) = host else { return Ok(Ipv4Addr::LOCALHOST.into()) };
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
    let wrong = |_| {
        Mistake(format!(
            "--monitoring-host {}: this is no IP address; write 127.0.0.1, or 0.0.0.0 for all interfaces",
            host.escape_debug()
        ))
    };
    if bare == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { bare.parse().map_err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_people_write_it() {
        for (host, address) in [
            ("localhost", "127.0.0.1:8000"),
            ("0.0.0.0", "0.0.0.0:8000"),
            ("::1", "[::1]:8000"),
            ("[::1]", "[::1]:8000"),
        ] {
            let found = Monitoring::resolve(false, Some(host.into()), None).unwrap().unwrap();
            assert_eq!((found.address.to_string().as_str(), found.asked_for), (address, true));
        }
        let usual = Monitoring::resolve(false, None, None).unwrap().unwrap();
        assert_eq!((usual.address.to_string().as_str(), usual.asked_for), ("127.0.0.1:8000", false));
    }
}
