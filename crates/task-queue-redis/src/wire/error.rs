use std::{fmt, io};

/// What a server answered in place of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError(String);

impl ServerError {
    pub(crate) fn new(line: &[u8]) -> Self {
        Self(String::from_utf8_lossy(line).into_owned())
    }

    /// The word in capitals by which programs tell errors apart; `ERR` is most of the others.
    pub(crate) fn code(&self) -> &str {
        let word = self.0.split(' ').next().unwrap_or_default();
        if word.bytes().all(|byte| byte.is_ascii_uppercase()) { word } else { "" }
    }

    /// The server takes no more clients in, for now.
    pub(crate) fn is_full(&self) -> bool {
        self.0.starts_with("ERR max number of clients")
    }

    /// The user may not use the command, or the server does not know it.
    pub(crate) fn is_closed_command(&self) -> bool {
        self.code() == "NOPERM" || self.0.starts_with("ERR unknown")
    }

    /// What was given is not what lets us in.
    pub(crate) fn is_wrong_password(&self) -> bool {
        let wrong = ["ERR AUTH", "ERR invalid password", "ERR Client sent AUTH"];
        matches!(self.code(), "WRONGPASS" | "NOPERM") || wrong.iter().any(|words| self.0.starts_with(words))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once(' ') {
            Some((code, words)) if code == self.code() => write!(f, "{code}: {words}"),
            _ => f.write_str(&self.0),
        }
    }
}

/// Why a connection can't be used, or not any more.
#[derive(Debug)]
pub(crate) enum WireError {
    Io(io::Error),
    /// What came is no answer.
    Malformed(&'static str),
    /// The server did not let us in.
    Login(ServerError),
    /// It let us in and refused what a connection begins with.
    Refused(ServerError),
}

impl WireError {
    pub(crate) fn timed_out(words: String) -> Self {
        Self::Io(io::Error::new(io::ErrorKind::TimedOut, words))
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Malformed(what) => write!(f, "no answer of a Redis: {what}"),
            // not its words: they may repeat the password
            Self::Login(error) => write!(f, "the login was not answered as it should ({})", error.code()),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_fails_is_told_without_what_the_server_repeats_of_it() {
        let said = ServerError::new(b"ERR unknown command 'AUTH', with args beginning with: 's3cret'");
        assert!(!said.is_wrong_password());
        let words = WireError::Login(said).to_string();
        assert!(words.contains("(ERR)") && !words.contains("s3cret"), "{words}");
        for wrong in [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "ERR AUTH <password> called without any password configured for the default user.",
        ] {
            assert!(ServerError::new(wrong.as_bytes()).is_wrong_password(), "{wrong}");
        }
    }
}
