//! The transitions, each one script: what several need is put before their own text.

use std::sync::LazyLock;

use deadpool_redis::redis;

use crate::wire::{Request, decimal, write_word};

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
    pub(crate) fn by_hash(&self, call: &Call, request: &mut Request) {
        call.write("EVALSHA", &self.hash, request);
    }

    /// The call with the text, which also loads it.
    pub(crate) fn by_text(&self, call: &Call, request: &mut Request) {
        call.write("EVAL", &self.text, request);
    }
}

/// The arguments of a call, as they are written.
pub(crate) struct Call {
    base: String,
    written: Vec<u8>,
    words: usize,
}

impl Call {
    /// A call on a named queue's keys.
    pub(crate) fn new(base: String) -> Self {
        Self { base, written: Vec::new(), words: 0 }
    }

    /// One more argument.
    pub(crate) fn arg(&mut self, arg: impl AsRef<[u8]>) -> &mut Self {
        self.parts([arg.as_ref()])
    }

    /// One more argument, in parts.
    pub(crate) fn parts<const N: usize>(&mut self, parts: [&[u8]; N]) -> &mut Self {
        write_word(&mut self.written, parts);
        self.words += 1;
        self
    }

    /// One more argument, a number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.arg(decimal(number, &mut [0; 20]))
    }

    /// About how long it is, if it goes by hash.
    pub(crate) fn length(&self) -> usize {
        self.written.len() + self.base.len() + 100
    }

    fn write(&self, command: &str, script: &str, request: &mut Request) {
        request.followed(&[command, script, "1", &self.base], self.words, &self.written);
    }
}
