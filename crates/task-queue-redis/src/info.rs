//! What a server says of itself, and what follows from it.

use task_core::{Durability, QueueError};

/// A server that is new enough.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) durability: Durability,
    pub(crate) warnings: Vec<String>,
}

impl Server {
    /// One whose INFO is closed to us: no more is claimed than what every server does.
    pub(crate) fn hidden() -> Self {
        let warning = "INFO is not allowed, so the server's version, maxmemory-policy and persistence are not known; \
                       allow it with ACL SETUSER … +info (docs/queue.md has the whole rule)";
        Self {
            name: "redis of unknown version".to_owned(),
            durability: Durability::Server,
            warnings: vec![warning.to_owned()],
        }
    }
}

/// Reads INFO's text, and `appendfsync` where CONFIG is allowed.
pub(crate) fn check(info: &str, appendfsync: Option<&str>) -> Result<Server, QueueError> {
    let field = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    let name = match (field("valkey_version"), field("redis_version")) {
        (Some(version), _) => format!("valkey {version}"),
        (None, Some(version)) => {
            let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
            if major < 7 {
                let wrong = format!("Redis {version} is too old: upgrade it to 7.0 or newer, or use Valkey");
                return Err(QueueError::Refused(wrong));
            }
            format!("redis {version}")
        }
        (None, None) => {
            return Err(QueueError::Refused(
                "the server tells no version: is it a Redis, 7.0 or newer?".into(),
            ));
        }
    };
    let mut warnings = Vec::new();
    if let Some(policy) = field("maxmemory_policy").filter(|policy| *policy != "noeviction") {
        warnings.push(format!(
            "maxmemory-policy is {policy}, so the server may evict tasks; set it to noeviction"
        ));
    }
    let bytes = |name: &str| field(name).and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or(0);
    let (used, most) = (bytes("used_memory"), bytes("maxmemory"));
    if most > 0 && used >= most {
        warnings.push(format!(
            "its memory is full ({used} bytes of maxmemory {most}), so it takes no new tasks, and drains; docs/troubleshooting.md \
             says what may fill it"
        ));
    }
    let durability = match (field("aof_enabled"), appendfsync) {
        (Some("1"), Some("always")) => Durability::Always,
        (Some("1"), Some("no")) => Durability::Server,
        (Some("1"), _) => Durability::EverySecond,
        _ => {
            warnings
                .push("appendonly is off, so a restart of the server loses tasks; set appendonly yes".into());
            Durability::Server
        }
    };
    Ok(Server { name, durability, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_refused_and_valkey_is_taken() {
        let old = check("redis_version:6.2.14\r\naof_enabled:1\r\n", None).unwrap_err().to_string();
        assert!(old.contains("6.2.14") && old.contains("7.0"), "{old}");
        assert!(check("hello", None).is_err());
        let valkey = check("redis_version:7.2.4\r\nvalkey_version:8.0.1\r\naof_enabled:1\r\n", None).unwrap();
        assert_eq!(valkey.name, "valkey 8.0.1");
    }

    #[test]
    fn no_more_is_claimed_than_the_server_says() {
        let info = "redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n";
        let durability = |fsync| check(info, fsync).unwrap().durability;
        assert_eq!(durability(None), Durability::EverySecond);
        assert_eq!(durability(Some("always")), Durability::Always);
        assert!(check(info, None).unwrap().warnings[0].contains("allkeys-lru"));
        let full = |used: u64| {
            let memory =
                format!("redis_version:7.0.15\r\nused_memory:{used}\r\nmaxmemory:100\r\naof_enabled:1\r\n");
            check(&memory, None).unwrap().warnings.concat()
        };
        assert!(full(100).contains("(100 bytes of maxmemory 100)") && full(99).is_empty(), "{}", full(100));
        let none = check("redis_version:7.0.15\r\naof_enabled:0\r\n", Some("always")).unwrap();
        assert_eq!(none.durability, Durability::Server);
    }
}
