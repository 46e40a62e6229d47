//! What Redis's errors mean to a queue.

use std::io;

use task_core::{Name, QueueError};

use crate::{
    url::Target,
    wire::{ServerError, WireError},
};

/// What a server's error to a command means.
pub(crate) fn meaning(error: &ServerError, queue: Option<&Name>) -> QueueError {
    // a server's words may repeat a command's arguments, never a password: that is sent at connect alone
    let (code, words) = (error.code(), error.to_string());
    match code {
        _ if error.is_full() => QueueError::unreachable(format!("{words}; raise its maxclients")),
        "OOM" => match queue {
            Some(queue) => QueueError::Full(queue.clone()),
            None => QueueError::unreachable(words),
        },
        "LOADING" | "READONLY" | "MISCONF" | "BUSY" | "CLUSTERDOWN" | "UNBLOCKED" | "TRYAGAIN"
        | "MASTERDOWN" | "NOREPLICAS" => {
            let said = words.trim_end_matches('.');
            QueueError::unreachable(format!("{said}{}", passing(code)))
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" => QueueError::Refused(refusal(code, &words)),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            let remedy =
                "this is a Redis Cluster; name the node that has the queue's slot, or use a single server";
            QueueError::Refused(format!("{words}; {remedy}"))
        }
        _ => QueueError::Corrupt(words),
    }
}

/// What ends that a server can't serve for now.
fn passing(code: &str) -> &'static str {
    match code {
        "LOADING" => "; it serves once that is done",
        "MISCONF" => "; make room on the server's disk, or mend what else its log tells, and it goes on",
        "READONLY" => "; it is a replica: name the primary, or the sentinels that know it",
        "BUSY" => "; a script that is not ours keeps the server busy",
        _ => "",
    }
}

/// A call was sent, and no answer came.
pub(crate) fn unanswered(error: &WireError, target: &Target) -> QueueError {
    QueueError::answer_lost(format!("{}: {error}", target.shown))
}

/// A key that holds something of another kind than ours.
pub(crate) fn foreign(key: &str, words: &str) -> QueueError {
    QueueError::Corrupt(format!(
        "{key} holds something of another kind: {}; does another program write under this prefix?",
        words.trim_end_matches('.')
    ))
}

/// What an error at connect means: nothing was sent of what matters.
pub(crate) fn at_connect(error: &WireError, target: &Target) -> QueueError {
    let address = &target.shown;
    match error {
        WireError::Login(said) if said.is_wrong_password() => QueueError::Refused(format!(
            "{address}: the user or the password is wrong; the password came from {}",
            target.password_from
        )),
        WireError::Refused(error) => refused(error, target),
        WireError::Io(_) | WireError::Malformed(_) | WireError::Login(_) => {
            QueueError::unreachable(format!("{address}: {error}{}", remedy(error, target)))
        }
    }
}

/// What an error to the first commands on a connection means.
pub(crate) fn refused(error: &ServerError, target: &Target) -> QueueError {
    let address = &target.shown;
    match meaning(error, None) {
        QueueError::Refused(words) | QueueError::Corrupt(words) => {
            QueueError::Refused(format!("{address}: {words}"))
        }
        QueueError::Unreachable(words) => QueueError::unreachable(format!("{address}: {words}")),
        other => other,
    }
}

fn remedy(error: &WireError, target: &Target) -> &'static str {
    use io::ErrorKind as Kind;
    let otherwise = if target.is_tls {
        "; is it the right port for TLS? (redis:// is without)"
    } else {
        "; is it the port of a Redis, and one without TLS? (rediss:// is with)"
    };
    match error {
        WireError::Malformed(_) => otherwise,
        WireError::Io(error) => match error.kind() {
            // of a socket's file: not found
            Kind::ConnectionRefused | Kind::NotFound if target.sentinels.is_none() => {
                "; is a Redis running there? start one, or name another"
            }
            _ if target.sentinels.is_some() => {
                "; is the primary up, and are these the sentinels that watch one of this name?"
            }
            Kind::TimedOut
            | Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe => otherwise,
            _ if target.is_tls => {
                "; is the host right? `ca=FILE` names its authority, `cert=FILE&key=FILE` a certificate of ours"
            }
            _ => "; is the host right?",
        },
        WireError::Login(_) | WireError::Refused(_) => "",
    }
}

fn refusal(code: &str, words: &str) -> String {
    let words = words.trim_end_matches('.');
    match code {
        "NOPERM" => format!("{words}; allow the user this with ACL SETUSER (docs/queue.md has the rule)"),
        "NOAUTH" => "NOAUTH: the server wants a password; put it in the URL, redis://user:password@host, in \
                     REDIS_PASSWORD, or in a file that REDIS_PASSWORD_FILE names"
            .to_owned(),
        _ => format!("{words}; the user or the password is wrong"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_can_not_serve_for_now_is_told_with_what_ends_that() {
        // a full disk was told as `"MISCONF": Errors writing to the AOF file`, and nobody thought of the disk
        for (code, said) in [
            ("MISCONF", "MISCONF: it said so; make room on the server's disk"),
            ("LOADING", "LOADING: it said so; it serves once"),
            ("READONLY", "READONLY: it said so; it is a replica"),
        ] {
            let line = format!("{code} it said so.");
            let error = meaning(&ServerError::new(line.as_bytes()), None);
            assert!(error.is_transient() && error.to_string().contains(said), "{error}");
        }
    }
}
