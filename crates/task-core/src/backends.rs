use std::{fmt, future::Future, pin::Pin};

use crate::{Queue, QueueError, TaskQueue};

/// A backend that programs can open by URL.
pub trait FromUrl: Queue + Sized {
    /// The URLs that it takes, for messages: `host:port, redis://…, rediss://…`.
    const URLS: &'static str;

    /// Whether it takes this URL.
    fn accepts(url: &str) -> bool;

    /// Whether what this URL opens lives in the process that opens it, so that workers in other processes would each
    /// have a queue of their own. By default it does not.
    fn in_process(url: &str) -> bool {
        let _ = url;
        false
    }

    /// Whether the tasks are still there after the process that opened it has ended, so that another one can finish them.
    /// By default, unless it lives [in the process](Self::in_process).
    fn outlives_process(url: &str) -> bool {
        !Self::in_process(url)
    }

    /// Opens it. An answer means that the backend was reached, once.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] for a URL that is wrong, [`QueueError::Unreachable`], [`QueueError::Refused`]. No error
    /// shows a password.
    fn from_url(url: &str) -> impl Future<Output = Result<Self, QueueError>> + Send;
}

type Opened<'a> = Pin<Box<dyn Future<Output = Result<TaskQueue, QueueError>> + Send + 'a>>;

struct Backend {
    urls: &'static str,
    accepts: fn(&str) -> bool,
    in_process: fn(&str) -> bool,
    outlives_process: fn(&str) -> bool,
    open: for<'a> fn(&'a str) -> Opened<'a>,
}

/// The backends that a program was built with, by the URLs that they take.
#[derive(Default)]
pub struct Backends(Vec<Backend>);

impl Backends {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. The first that takes a URL opens it.
    #[must_use]
    pub fn with<B: FromUrl>(mut self) -> Self {
        self.0.push(Backend {
            urls: B::URLS,
            accepts: B::accepts,
            in_process: B::in_process,
            outlives_process: B::outlives_process,
            open: |url| Box::pin(async move { Ok(TaskQueue::new(B::from_url(url).await?)) }),
        });
        self
    }

    /// Whether one of them takes this URL.
    pub fn accepts(&self, url: &str) -> bool {
        self.of(url).is_some()
    }

    /// Whether the backend that opens this URL lives in the process that opens it.
    pub fn in_process(&self, url: &str) -> bool {
        self.of(url).is_some_and(|backend| (backend.in_process)(url))
    }

    /// Whether the tasks of this URL are still there after the process that opened it has ended.
    pub fn outlives_process(&self, url: &str) -> bool {
        self.of(url).is_some_and(|backend| (backend.outlives_process)(url))
    }

    /// The URLs that they take, for messages.
    pub fn urls(&self) -> String {
        self.0.iter().map(|backend| backend.urls).collect::<Vec<_>>().join(", ")
    }

    /// That one of them takes this URL, or in words that none does.
    ///
    /// # Errors
    /// [`QueueError::Invalid`], with the URLs that they take.
    pub fn check(&self, url: &str) -> Result<(), QueueError> {
        if self.accepts(url) { Ok(()) } else { Err(self.unknown(url)) }
    }

    /// Opens the backend of this URL.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] if none takes it; else as [`FromUrl::from_url`].
    pub async fn connect(&self, url: &str) -> Result<TaskQueue, QueueError> {
        let Some(backend) = self.of(url) else {
            return Err(self.unknown(url));
        };
        (backend.open)(url).await
    }

    /// The first that takes it.
    fn of(&self, url: &str) -> Option<&Backend> {
        self.0.iter().find(|backend| (backend.accepts)(url))
    }

    fn unknown(&self, url: &str) -> QueueError {
        let (shown, known) = (without_password(url), self.urls());
        let bare = !url.contains([':', '/', '@']) && self.accepts(&format!("{url}:6379"));
        let meant = if bare {
            format!(" (a host is written `{shown}:6379`; a named queue, --queue-name {shown})")
        } else {
            String::new()
        };
        QueueError::invalid(format!(
            "no backend takes the queue `{shown}`{meant}; this program knows {known}"
        ))
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backends({})", self.urls())
    }
}

/// A queue URL as it may be shown: with `***` for whatever stands between the first `//` and the last `@`, but for
/// the user's name, and control characters escaped.
pub fn without_password(url: &str) -> String {
    // a socket's URL has its password among the parameters
    let (place, parameters) = match url.split_once('?') {
        Some((place, parameters)) if place.contains("unix://") => (place, parameters),
        _ => return without_userinfo(url).escape_debug().to_string(),
    };
    let place = without_userinfo(place);
    let masked = |pair: &str| if pair.starts_with("pass=") { "pass=***".to_owned() } else { pair.to_owned() };
    let parameters: Vec<String> = parameters.split('&').map(masked).collect();
    format!("{place}?{}", parameters.join("&")).escape_debug().to_string()
}

fn without_userinfo(url: &str) -> String {
    let Some((before, after)) = url.rsplit_once('@') else { return url.to_owned() };
    let (scheme, secret) = before.split_once("://").map_or(("", before), |(s, rest)| (s, rest));
    let user = secret.split_once(':').map_or("", |(user, _)| user);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{user}:***@{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("redis://localhost:6379", "redis://localhost:6379"),
            ("redis://:s3cret@host/1", "redis://:***@host/1"),
            ("rediss://ann:s3c:r@et@host", "rediss://ann:***@host"),
            ("s3cret@host:6379", ":***@host:6379"),
            ("redis+unix:///r.sock?db=1&pass=s3@cret&user=u", "redis+unix:///r.sock?db=1&pass=***&user=u"),
            // no URL of a socket has it here, but who writes it so is answered with it
            ("redis+unix://ann:s3cret@/r.sock?db=1", "redis+unix://ann:***@/r.sock?db=1"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[tokio::test]
    async fn an_unknown_url_is_answered_with_those_that_are_known() {
        let error = Backends::new().connect("amqp://u:pw@host").await.unwrap_err().to_string();
        assert!(error.contains("`amqp://u:***@host`") && error.contains("knows"), "{error}");
        assert!(!error.contains("--queue-name"), "{error}");
    }
}
