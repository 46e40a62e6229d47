//! The URLs that name a Redis.

use deadpool_redis::redis::{ConnectionInfo, IntoConnectionInfo};
use task_core::{QueueError, without_password};

use crate::keys::{Keys, PREFIX};

/// Where a Redis is, and the prefix of the keys there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) info: ConnectionInfo,
    pub(crate) keys: Keys,
    /// For people: without a password.
    pub(crate) shown: String,
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

/// Reads a URL.
pub(crate) fn parse(url: &str) -> Result<Target, QueueError> {
    let shown = without_password(url);
    if url.starts_with("redis+sentinel://") {
        let wrong =
            format!("`{shown}`: Sentinel is not supported yet; name the primary itself, redis://host:port");
        return Err(QueueError::invalid(wrong));
    }
    if cfg!(not(feature = "tls")) && url.starts_with("rediss://") {
        return Err(QueueError::invalid(format!(
            "`{shown}` wants TLS, and this program was built without `tls`"
        )));
    }
    let full = if url.contains("://") { url.to_owned() } else { format!("redis://{url}") };
    let (place, query) = full.split_once('?').unwrap_or((&full, ""));
    let (own, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("prefix="));
    let rest: Vec<&str> = rest.into_iter().filter(|pair| !pair.is_empty()).collect();
    let prefix = own.first().map_or(PREFIX, |pair| &pair["prefix=".len()..]);
    let place = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
    // the library's own error is not shown: it may repeat the URL
    let info = place.into_connection_info().map_err(|_| {
        QueueError::invalid(format!(
            "`{shown}` is no URL of a Redis; write host:port or redis://user:password@host:port/0"
        ))
    })?;
    let address = info.addr().to_string();
    Ok(Target { info, keys: Keys::new(prefix)?, shown: address })
}

/// What the environment says: TASK_QUEUE over REDIS_URL over REDIS_HOST and REDIS_PORT.
pub(crate) fn from_env(variable: impl Fn(&str) -> Option<String>) -> String {
    variable("TASK_QUEUE").or_else(|| variable("REDIS_URL")).unwrap_or_else(|| {
        let host = variable("REDIS_HOST").unwrap_or_else(|| "localhost".into());
        format!("{host}:{}", variable("REDIS_PORT").unwrap_or_else(|| "6379".into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for url in ["redis://u:s3cret@", "redis+sentinel://u:s3cret@h/x", "redis://u:s3cret@h:99999"] {
            let error = parse(url).err().unwrap().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert_eq!(parse("h:6379?prefix=mine").unwrap().keys.layout(), "mine:layout");
        assert!(parse("h:6379?prefix=a{b").is_err());
    }

    #[test]
    fn task_queue_goes_over_redis_url_and_that_over_host_and_port() {
        let some = |names: &'static [&'static str]| {
            move |name: &str| names.contains(&name).then(|| name.to_lowercase())
        };
        assert_eq!(from_env(some(&["TASK_QUEUE", "REDIS_URL"])), "task_queue");
        assert_eq!(from_env(some(&["REDIS_URL", "REDIS_HOST"])), "redis_url");
        assert_eq!(from_env(some(&["REDIS_HOST"])), "redis_host:6379");
    }
}
