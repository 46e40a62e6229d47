//! Sentinels: they know where the primary is. They are asked each time that a connection is made, since it may have moved.

use std::{io, time::Duration};

use tokio::{task::JoinSet, time::timeout};

use crate::wire::{Address, Connection, Login, Request, Value, WireError};

/// For the answer of one of them.
const ASK: Duration = Duration::from_secs(1);
/// Where they listen if the URL does not say.
const PORT: u16 = 26379;

/// Who is asked, and for which primary.
#[derive(Clone)]
pub(crate) struct Sentinels {
    hosts: Vec<(String, u16)>,
    name: String,
    password: Option<String>,
}

impl Sentinels {
    /// Reads `h1,h2:26379/name` and what may follow behind another slash; none if a host or the name is missing.
    pub(crate) fn read(place: &str, password: Option<String>) -> Option<(Self, &str)> {
        let (hosts, path) = place.split_once('/')?;
        let (name, rest) = path.split_once('/').unwrap_or((path, ""));
        let hosts = hosts.split(',').map(host_and_port).collect::<Option<Vec<_>>>()?;
        (!name.is_empty()).then(|| (Self { hosts, name: name.to_owned(), password }, rest))
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        format!("{}/{}", hosts.join(","), self.name)
    }

    /// Where the primary is now, as the first of them says that answers and knows it. All are asked at once: the one that
    /// died with a primary keeps nobody waiting.
    pub(crate) async fn primary(&self) -> Result<(String, u16), WireError> {
        let mut last = "there are none".to_owned();
        let ask = |(host, port): (String, u16)| {
            let this = self.clone();
            async move { (timeout(ASK, this.ask(&host, port)).await, host, port) }
        };
        let mut asked: JoinSet<_> = self.hosts.iter().cloned().map(ask).collect();
        while let Some(answer) = asked.join_next().await {
            let (answer, host, port) = answer.map_err(io::Error::other)?;
            last = match answer {
                Ok(Ok(Some(primary))) => return Ok(primary),
                Ok(Ok(None)) => format!("{host}:{port} watches no primary called `{}`", self.name),
                Ok(Err(error)) => format!("{host}:{port}: {error}"),
                Err(_) => format!("{host}:{port}: no answer within {ASK:?}"),
            };
        }
        Err(io::Error::other(format!("no sentinel says where the primary is; the last: {last}")).into())
    }

    async fn ask(&self, host: &str, port: u16) -> Result<Option<(String, u16)>, WireError> {
        let address = Address::Tcp(host.to_owned(), port);
        let login = Login { password: self.password.clone(), ..Login::default() };
        let mut sentinel = Connection::open(&address, &login, "task-queue:primary").await?;
        let asked = Request::one(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.name]);
        match sentinel.ask(&asked).await?.pop() {
            Some(Err(error)) => Err(WireError::Refused(error)),
            Some(Ok(Value::List(place))) => match &place[..] {
                [Value::Bytes(host), Value::Bytes(port)] => {
                    let text = |bytes| std::str::from_utf8(bytes).ok();
                    let port = text(port).and_then(|port| port.parse().ok());
                    Ok(text(host).map(str::to_owned).zip(port))
                }
                _ => Err(WireError::Malformed("no place of a primary")),
            },
            _ => Ok(None),
        }
    }
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        // an address of version 6 has colons of its own
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, PORT),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_port_of_their_own_or_the_usual_one_and_the_primary_a_name() {
        let (sentinels, rest) = Sentinels::read("h1,h2:7000,[::1]:7001,[::1]/main/3", None).unwrap();
        assert_eq!((sentinels.shown().as_str(), rest), ("h1:26379,h2:7000,::1:7001,::1:26379/main", "3"));
        for wrong in ["h1,h2", "h1/", "/main", "h1,,h2/main", "h1:port/main"] {
            assert!(Sentinels::read(wrong, None).is_none(), "{wrong}");
        }
    }
}
