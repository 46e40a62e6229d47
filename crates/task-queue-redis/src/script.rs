//! The transitions, each one script: what several need is put before their own text.

use std::sync::LazyLock;

use deadpool_redis::redis;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $flags:literal, $($file:literal),+;)*) => {$(
        $(#[$doc])*
        pub(crate) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new($flags, &[$(include_str!(concat!("lua/", $file))),+]));
    )*};
}

// Only enqueue is refused over maxmemory: everything else must go on, or a full server could not drain.
scripts! {
    ENQUEUE = "#!lua", "base.lua", "enqueue.lua";
    CLAIM = "#!lua flags=allow-oom", "base.lua", "recover.lua", "house.lua", "claim.lua";
    SETTLE = "#!lua flags=allow-oom", "base.lua", "settle.lua";
    BEAT = "#!lua flags=allow-oom", "base.lua", "recover.lua", "house.lua", "unheld.lua", "beat.lua";
    RELEASE = "#!lua flags=allow-oom", "base.lua", "recover.lua", "house.lua", "release.lua";
    GIVE_BACK = "#!lua flags=allow-oom", "base.lua", "give_back.lua";
    LOOK = "#!lua flags=allow-oom", "base.lua", "look.lua";
    CANCEL = "#!lua flags=allow-oom", "base.lua", "cancel.lua";
    CONTROL = "#!lua flags=allow-oom", "base.lua", "control.lua";
    STATS = "#!lua flags=allow-oom", "base.lua", "recover.lua", "house.lua", "stats.lua";
    LIST = "#!lua flags=allow-oom", "base.lua", "list.lua";
    TRIM = "#!lua flags=allow-oom", "base.lua", "trim.lua";
    EXPLAIN = "#!lua flags=allow-oom", "base.lua", "explain.lua";
}

/// A script and its hash.
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    fn new(flags: &str, parts: &[&str]) -> Self {
        // A function captures a local of the one around it by a walk through all that are captured already, and one from
        // further out at once: with the names of keys outside, a call spends 14 µs on its functions, and else 33.
        let (keys, parts) = (include_str!("lua/keys.lua"), parts.join("\n"));
        let text = format!("{flags}\n{keys}\nreturn (function()\n{parts}\nend)()");
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// The call by hash, which can fail with NOSCRIPT and then has done nothing.
    pub(crate) fn by_hash(&self, call: &Call) -> redis::Cmd {
        call.command("EVALSHA", &self.hash)
    }

    /// The call with the text, which also loads it.
    pub(crate) fn by_text(&self, call: &Call) -> redis::Cmd {
        call.command("EVAL", &self.text)
    }
}

/// The arguments of a call, behind one another, and where each ends.
pub(crate) struct Call {
    base: String,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Call {
    /// A call on a named queue's keys.
    pub(crate) fn new(base: String) -> Self {
        Self { base, bytes: Vec::new(), ends: Vec::new() }
    }

    /// One more argument.
    pub(crate) fn arg(&mut self, arg: impl AsRef<[u8]>) -> &mut Self {
        self.bytes.extend_from_slice(arg.as_ref());
        self.ends.push(self.bytes.len());
        self
    }

    /// One more argument, in parts.
    pub(crate) fn parts<const N: usize>(&mut self, parts: [&[u8]; N]) -> &mut Self {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len());
        self
    }

    /// One more argument, a number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.arg(number.to_string())
    }

    fn command(&self, name: &str, script: &str) -> redis::Cmd {
        let mut command =
            redis::Cmd::with_capacity(self.ends.len() + 4, self.bytes.len() + script.len() + 64);
        command.arg(name).arg(script).arg(1).arg(&self.base);
        let mut start = 0;
        for end in &self.ends {
            command.arg(&self.bytes[start..*end]);
            start = *end;
        }
        command
    }
}
