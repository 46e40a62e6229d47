//! The URLs that name a Redis.

use deadpool_redis::redis::{ConnectionAddr, IntoConnectionInfo};
use task_core::{QueueError, without_password};

#[cfg(feature = "tls")]
use crate::tls;
use crate::{
    keys::{Keys, PREFIX},
    password::{PasswordFrom, password},
    sentinel::Sentinels,
    wire::{Address, Login},
};

const SENTINEL: &str = "redis+sentinel://";

/// Where a Redis is, and the prefix of the keys there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) login: Login,
    pub(crate) keys: Keys,
    /// For people: without a password.
    pub(crate) shown: String,
    /// Who says where it is; its address is another one then, each time.
    pub(crate) sentinels: Option<Sentinels>,
    /// Whether it speaks TLS.
    pub(crate) is_tls: bool,
    /// For people: where the password came from.
    pub(crate) password_from: PasswordFrom,
}

/// Whether this names a Redis.
pub(crate) fn accepts(url: &str) -> bool {
    match url.split_once("://") {
        Some((scheme, _)) => matches!(scheme, "redis" | "rediss" | "redis+unix" | "redis+sentinel"),
        None => {
            let port =
                url.rsplit_once(':').map_or("", |(_, port)| port.split(['/', '?']).next().unwrap_or(""));
            port.parse::<u16>().is_ok()
        }
    }
}

/// Reads a URL; a password that it does not have is taken from these variables.
pub(crate) fn parse(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Target, QueueError> {
    let shown = without_password(url);
    let full = if url.contains("://") { url.to_owned() } else { format!("redis://{url}") };
    let (full, fragment) = full.split_once('#').unwrap_or((&full, ""));
    // the library is to read the place alone: TLS is ours
    let (full, is_tls) = match full.strip_prefix("rediss://") {
        Some(rest) => (format!("redis://{rest}"), true),
        None => (full.to_owned(), false),
    };
    if is_tls && cfg!(not(feature = "tls")) {
        return Err(QueueError::invalid(format!(
            "`{shown}` wants TLS, and this program was built without it; build it with the feature `tls` of task-queue-redis"
        )));
    }
    if is_tls && fragment == "insecure" {
        return Err(QueueError::invalid(format!(
            "`{shown}`: with `#insecure` anybody could be the server; name its authority by `ca=FILE`"
        )));
    }
    let (place, query) = full.split_once('?').unwrap_or((&full, ""));
    let (place, sentinels) = match place.strip_prefix(SENTINEL) {
        None => (place.to_owned(), None),
        Some(rest) => {
            let (user, hosts) = rest.rsplit_once('@').map_or(("", rest), |(user, hosts)| (user, hosts));
            let found = Sentinels::read(hosts, variable("REDIS_SENTINEL_PASSWORD"));
            let (sentinels, db) = found.ok_or_else(|| {
                let right = "redis+sentinel://user:password@host:26379,host:26379/name";
                QueueError::invalid(format!("`{shown}` names no sentinels with their primary; write {right}"))
            })?;
            let user = if user.is_empty() { String::new() } else { format!("{user}@") };
            (format!("redis://{user}primary/{db}"), Some(sentinels))
        }
    };
    let mut own = Own::default();
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !own.takes(pair)).collect();
    let place = if rest.is_empty() { place } else { format!("{place}?{}", rest.join("&")) };
    // the library's own error is not shown: it may repeat the URL
    let info = place.into_connection_info().map_err(|_| {
        QueueError::invalid(format!(
            "`{shown}` is no URL of a Redis; write host:port or redis://user:password@host:port/0"
        ))
    })?;
    let settings = info.redis_settings();
    let mut login = Login {
        user: settings.username().map(str::to_owned),
        password: settings.password().map(str::to_owned),
        db: settings.db(),
    };
    let mut password_from = PasswordFrom::Url;
    if login.password.is_none() {
        (login.password, password_from) = password(variable)?;
    }
    Ok(Target {
        shown: sentinels.as_ref().map_or_else(|| info.addr().to_string(), Sentinels::shown),
        sentinels,
        is_tls,
        password_from,
        login,
        keys: Keys::new(own.prefix.as_deref().unwrap_or(PREFIX))?,
        address: own.address(info.addr(), is_tls, &shown)?,
    })
}

/// The parameters that are ours; the library would refuse them.
#[derive(Default)]
struct Own {
    prefix: Option<String>,
    #[cfg(feature = "tls")]
    ca: Option<String>,
    #[cfg(feature = "tls")]
    cert: Option<String>,
    #[cfg(feature = "tls")]
    key: Option<String>,
}

impl Own {
    fn takes(&mut self, pair: &str) -> bool {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "prefix" => &mut self.prefix,
            #[cfg(feature = "tls")]
            "ca" => &mut self.ca,
            #[cfg(feature = "tls")]
            "cert" => &mut self.cert,
            #[cfg(feature = "tls")]
            "key" => &mut self.key,
            _ => return false,
        };
        *place = Some(value.to_owned());
        true
    }

    /// Where the server is, by the address of its URL.
    fn address(self, found: &ConnectionAddr, is_tls: bool, shown: &str) -> Result<Address, QueueError> {
        #[cfg(feature = "tls")]
        let files = tls::Files { ca: self.ca, cert: self.cert, key: self.key };
        #[cfg(feature = "tls")]
        if !is_tls && files.any() {
            let wrong = format!("`{shown}`: `ca=`, `cert=` and `key=` are for TLS; write rediss://");
            return Err(QueueError::invalid(wrong));
        }
        match found {
            #[cfg(feature = "tls")]
            ConnectionAddr::Tcp(host, port) if is_tls => {
                Ok(Address::Tls(host.clone(), *port, tls::config(&files, shown)?))
            }
            ConnectionAddr::Tcp(host, port) if !is_tls => Ok(Address::Tcp(host.clone(), *port)),
            ConnectionAddr::Unix(path) => Ok(Address::Unix(path.clone())),
            _ => {
                Err(QueueError::invalid(format!("`{shown}` names no place that this program can connect to")))
            }
        }
    }
}

/// The URL of the queue that the environment names, by a look-up of its variables: TASK_QUEUE, else REDIS_URL, else
/// REDIS_HOST with REDIS_PORT (6379). An empty variable is none.
pub fn url_from_env(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let place = || {
        let port = set("REDIS_PORT").unwrap_or_else(|| "6379".into());
        // beside a service of that name Kubernetes sets REDIS_PORT=tcp://10.0.0.1:6379
        let port = port.rsplit(':').next().unwrap_or(&port).to_owned();
        set("REDIS_HOST").map(|host| format!("redis://{host}:{port}"))
    };
    set("TASK_QUEUE").or_else(|| set("REDIS_URL")).or_else(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_forms_of_a_url_are_told_from_other_backends() {
        for yes in
            ["localhost:6379", "redis://h", "rediss://h:1/2", "redis+unix:///run/r.sock", "h:6379?prefix=x"]
        {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["memory:", "localhost", "amqp://h:1", "h:port"] {
            assert!(!accepts(no), "{no}");
        }
    }

    #[test]
    fn a_wrong_url_is_told_without_its_password() {
        for url in [
            "redis://u:s3cret@",
            "redis://u:s3cret@h:99999",
            "redis+unix:///r.sock?db=x&pass=s3cret",
            "redis://u:s3cret@h?ca=/nowhere",
        ] {
            let error = parse(url, nothing).err().unwrap().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        for url in [
            "redis+sentinel://u:s3cret@h/",
            "redis+sentinel://u:s3cret@/main",
            "redis+sentinel://u:s3cret@h/main/x",
        ] {
            let error = parse(url, nothing).err().unwrap().to_string();
            assert!(!error.contains("s3cret") && error.contains("***"), "{error}");
        }
        assert_eq!(parse("h:6379?prefix=mine", nothing).unwrap().keys.layout(), "mine:layout");
        assert!(parse("h:6379?prefix=a{b", nothing).is_err());
    }

    #[test]
    fn a_server_that_need_not_show_who_it_is_is_refused() {
        let error = parse("rediss://u:s3cret@h:1#insecure", nothing).err().unwrap().to_string();
        assert!(error.contains("ca=FILE") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn the_user_of_a_sentinels_url_is_that_of_the_primary() {
        let target = parse("redis+sentinel://ann:own@h1,h2:7000/main/2?prefix=mine", nothing).unwrap();
        let login = Login { user: Some("ann".into()), password: Some("own".into()), db: 2 };
        assert!(target.login == login);
        assert_eq!(
            (target.shown.as_str(), target.keys.layout().as_str()),
            ("h1:26379,h2:7000/main", "mine:layout")
        );
    }

    #[test]
    fn task_queue_goes_over_redis_url_and_that_over_host_and_port() {
        let from = |set: &[(&str, &str)]| {
            url_from_env(|name| set.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
        };
        let (queue, url, host) = (("TASK_QUEUE", "q:1"), ("REDIS_URL", "u:2"), ("REDIS_HOST", "h"));
        assert_eq!(from(&[queue, url, host]).unwrap(), "q:1");
        assert_eq!(from(&[url, host]).unwrap(), "u:2");
        assert_eq!(from(&[("TASK_QUEUE", " "), ("REDIS_URL", ""), host]).unwrap(), "redis://h:6379");
        assert_eq!(from(&[host, ("REDIS_PORT", "7000")]).unwrap(), "redis://h:7000");
        assert_eq!(from(&[host, ("REDIS_PORT", "tcp://10.0.0.1:7000")]).unwrap(), "redis://h:7000");
        assert_eq!(from(&[("REDIS_PORT", "tcp://10.0.0.1:7000")]), None);
    }
}
