use task_queue_redis::url_from_env;

use super::{Mistake, Surroundings};

/// The queue's URL: the flag, TASK_QUEUE, REDIS_URL, REDIS_HOST with REDIS_PORT; none if nobody says.
pub(super) fn resolve(
    flag: &str,
    value: Option<String>,
    around: &Surroundings<'_>,
) -> Result<Option<String>, Mistake> {
    let value = value.map(|url| url.trim().to_owned());
    if value.as_deref() == Some("") {
        // a script whose variable is not set must not end up on another queue
        return Err(Mistake(format!("{flag} is empty; write a queue, as in -q localhost:6379")));
    }
    let Some(url) = value.or_else(|| url_from_env(|name| around.env(name))) else { return Ok(None) };
    around.backends.check(&url).map_err(|error| Mistake(error.to_string()))?;
    Ok(Some(url))
}

/// REDIS_URL, and REDIS_HOST and REDIS_PORT where there is one host, for programs that read these.
pub(crate) fn redis_parts(url: &str) -> Option<(String, Option<(String, String)>)> {
    let full = match url.split_once("://") {
        None => format!("redis://{url}"),
        Some((scheme, _)) if scheme == "rediss" || scheme.starts_with("redis") => url.to_owned(),
        Some(_) => return None,
    };
    let (scheme, rest) = full.split_once("://")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let one_host = (scheme == "redis" || scheme == "rediss") && !place.is_empty() && !place.contains(',');
    let host = one_host.then(|| match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host.to_owned(), port.to_owned()),
        _ => (place.to_owned(), "6379".to_owned()),
    });
    Some((full.clone(), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_knows_redis_by_host_and_port_is_told_both() {
        let parts = |url| redis_parts(url).map(|(url, host)| (url, host.unwrap_or_default()));
        let of = |url: &str, host: &str, port: &str| Some((url.into(), (host.into(), port.into())));
        assert_eq!(parts("localhost:6379"), of("redis://localhost:6379", "localhost", "6379"));
        assert_eq!(parts("rediss://u:p@h/2?prefix=x"), of("rediss://u:p@h/2?prefix=x", "h", "6379"));
        assert_eq!(parts("redis://[::1]:7000"), of("redis://[::1]:7000", "[::1]", "7000"));
        assert_eq!(parts("redis+unix:///run/redis.sock"), of("redis+unix:///run/redis.sock", "", ""));
        assert_eq!(parts("file:///tmp/q"), None);
    }
}
