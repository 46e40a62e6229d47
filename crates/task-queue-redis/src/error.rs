//! What Redis's errors mean to a queue.

use deadpool_redis::redis::{ErrorKind, RedisError};
use task_core::{Name, QueueError};

/// What an error to a call that was sent means.
pub(crate) fn meaning(error: &RedisError, queue: Option<&Name>) -> QueueError {
    // a server's words may repeat a command's arguments, never a password: that is sent at connect alone
    let words = error.to_string();
    let code = error.code().unwrap_or_default();
    match code {
        "OOM" => match queue {
            Some(queue) => QueueError::Full(queue.clone()),
            None => QueueError::unreachable(words),
        },
        "LOADING" | "READONLY" | "MISCONF" | "BUSY" | "CLUSTERDOWN" | "UNBLOCKED" | "TRYAGAIN"
        | "MASTERDOWN" | "NOREPLICAS" => QueueError::unreachable(words),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => QueueError::Refused(refusal(code, &words)),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            let remedy =
                "this is a Redis Cluster; name the node that has the queue's slot, or use a single server";
            QueueError::Refused(format!("{words}; {remedy}"))
        }
        _ if error.kind() == ErrorKind::AuthenticationFailed => {
            QueueError::Refused(refusal("WRONGPASS", &words))
        }
        _ if error.is_io_error() || error.is_unrecoverable_error() => QueueError::answer_lost(words),
        _ => QueueError::Corrupt(words),
    }
}

/// A key that holds something of another kind than ours.
pub(crate) fn foreign(key: &str, words: &str) -> QueueError {
    QueueError::Corrupt(format!(
        "{key} holds something of another kind: {}; does another program write under this prefix?",
        words.trim_end_matches('.')
    ))
}

/// What an error at connect means: nothing was sent of what matters.
pub(crate) fn at_connect(error: &RedisError, address: &str) -> QueueError {
    match meaning(error, None) {
        QueueError::Refused(words) => QueueError::Refused(format!("{address}: {words}")),
        _ => QueueError::unreachable(format!("{address}: {error}")),
    }
}

fn refusal(code: &str, words: &str) -> String {
    let remedy = match code {
        "NOPERM" => "allow the user this with ACL SETUSER (docs/queue.md has the rule)",
        "NOAUTH" => {
            "the server wants a password: put it in the URL, redis://user:password@host, or in REDIS_PASSWORD"
        }
        _ => "the user or the password is wrong",
    };
    format!("{}; {remedy}", words.trim_end_matches('.'))
}
