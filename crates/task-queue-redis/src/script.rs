//! The transitions, each one script, of parts.
//!
//! A call makes the functions of its script anew, which costs as much as what it does. So a script has the parts that it
//! uses, and what few calls need stands in a function, such as `rarely`, that makes it where it is called.

use std::{collections::BTreeSet, sync::LazyLock};

use deadpool_redis::redis;

use crate::wire::{Request, decimal, write_word};

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $flags:literal, [$($part:ident)+] $($made:ident [$($rare:ident)+])*;)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
                Script::new($flags, &[$(part!($part)),+], &[$((stringify!($made), &[$(part!($rare)),+])),*])
            });
        )*
        #[cfg(test)]
        static ALL: &[(&str, &LazyLock<Script>)] = &[$((stringify!($name), &$name)),*];
    };
}

macro_rules! part {
    ($name:ident) => {
        include_str!(concat!("lua/", stringify!($name), ".lua"))
    };
}

// Only enqueue is refused over maxmemory: everything else must go on, or a full server could not drain.
scripts! {
    ENQUEUE = "#!lua", [clock any wake ready counts enqueue tokens state schedule view enqueue_each];
    CLAIM = "#!lua flags=allow-oom", [clock closed lease due held wake take claim]
        schedules [state wake ready aside promote]
        known [tokens state wake aside told finish view give]
        rarely [tokens state wake ready aside told finish unplace recover register promote house counts sweep names];
    SETTLE = "#!lua flags=allow-oom", [clock tokens any closed told results held settle]
        rarely [tokens any state wake ready schedule aside told finish call_one knowing others];
    BEAT = "#!lua flags=allow-oom", [clock tokens closed lease over wake call_one beat]
        rarely [tokens state wake ready aside told finish unplace held recover register promote house counts sweep names
            unheld];
    RELEASE = "#!lua flags=allow-oom",
        [clock tokens state wake ready aside told finish unplace recover promote house release];
    GIVE_BACK = "#!lua flags=allow-oom", [give_back];
    LOOK = "#!lua flags=allow-oom", [clock tokens state view look];
    LISTEN = "#!lua flags=allow-oom", [listen] known [clock tokens state view all_of];
    CANCEL = "#!lua flags=allow-oom", [clock tokens state wake aside told finish unplace view cancel];
    CONTROL = "#!lua flags=allow-oom",
        [clock tokens state wake ready aside call_one knowing told finish results view control];
    STATS = "#!lua flags=allow-oom",
        [clock tokens state wake ready aside told finish unplace recover promote house counts over sweep view stats];
    LIST = "#!lua flags=allow-oom", [clock tokens state results view list];
    TRIM = "#!lua flags=allow-oom", [clock state trim];
    EXPLAIN = "#!lua flags=allow-oom", [clock tokens state view explain];
    SERVER = "#!lua flags=allow-oom", [clock server];
}

/// A script and its hash.
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    fn new(flags: &str, parts: &[&str], made: &[(&str, &[&str])]) -> Self {
        let mut text = format!("{flags}\n{}", part!(start));
        for (name, made) in made {
            // it names its keys anew: to take those of the script with it would cost every call
            let used: BTreeSet<&str> = parts.iter().flat_map(|part| used_of(name, part)).collect();
            let table: String = used.iter().map(|name| format!("{name} = {name}, ")).collect();
            text += &format!(
                "local made_{name}\nlocal function {name}()\nif made_{name} then return made_{name} end\n"
            );
            text += &with_keys(made);
            text += &format!("made_{name} = {{ {table}}}\nreturn made_{name}\nend\n");
        }
        text += &with_keys(parts);
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

/// Parts behind each other, before each the names of the keys that it is the first to use.
fn with_keys(parts: &[&str]) -> String {
    let name = |line: &'static str| line.strip_prefix("local ")?.split(' ').next();
    let keys = || part!(keys).lines().filter_map(|line| Some((name(line)?, line)));
    let mut named = BTreeSet::new();
    let mut text = String::new();
    for part in parts {
        let words: BTreeSet<&str> = words(part).collect();
        for (name, line) in keys().filter(|(name, _)| words.contains(name)) {
            if named.insert(name) {
                text += line;
                text.push('\n');
            }
        }
        text += part;
    }
    text
}

/// What a part calls of the functions that `name` makes.
fn used_of<'a>(name: &str, part: &'a str) -> impl Iterator<Item = &'a str> {
    let call = format!("{name}().");
    part.match_indices(&call)
        .filter_map(|(at, call)| words(&part[at + call.len()..]).next())
        .collect::<Vec<_>>()
        .into_iter()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    const LUA: &str = "and break do else elseif end false for function if in local nil not or repeat return then true until \
        while KEYS ARGV redis cmsgpack string table math ipairs pairs pcall next tonumber tostring unpack";

    /// Its words outside of comments and strings, each with the character before it and what follows.
    fn code(text: &str) -> Vec<(String, char, String)> {
        let mut bare = String::new();
        for line in text.lines() {
            let strings_gone: String = line.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
            bare += strings_gone.split("--").next().unwrap_or_default();
            bare.push('\n');
        }
        let mut found = Vec::new();
        let is_part = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let mut rest = bare.as_str();
        let mut before = ' ';
        while let Some(c) = rest.chars().next() {
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            if length > 0 && !c.is_ascii_digit() {
                found.push((rest[..length].to_owned(), before, rest[length..].trim_start().to_owned()));
            }
            let step = length.max(c.len_utf8());
            before = rest[..step].chars().last().unwrap_or(' ');
            rest = &rest[step..];
        }
        found
    }

    /// What is declared in it, however deep.
    fn declared(text: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for line in text.lines() {
            for (before, after) in [("local ", "="), ("for ", "="), ("for ", " in "), ("function", ")")] {
                for rest in line.split(before).skip(1) {
                    names.extend(words(rest.split(after).next().unwrap_or(rest)).map(str::to_owned));
                }
            }
        }
        names
    }

    /// The functions that make others, each with its name, and the rest.
    fn sections(script: &Script) -> (Vec<(&str, &str)>, &str) {
        let (_flags, text) = script.text.split_once('\n').unwrap();
        let mut sections = text.split("\nlocal made_");
        let (mut made, mut rest) = (Vec::new(), sections.next().unwrap());
        for section in sections {
            let name = words(section).next().unwrap();
            let (body, behind) = section.split_once(&format!("return made_{name}\nend")).unwrap();
            made.push((name, body));
            rest = behind;
        }
        (made, rest)
    }

    /// A name that is not there is an error where it is reached, and much is reached seldom.
    #[test]
    fn each_part_of_a_script_finds_what_it_names() {
        for (name, script) in ALL {
            let (made, main) = sections(script);
            let mut of_all: BTreeSet<String> = ["call", "base", "int"].map(str::to_owned).into();
            for (function, _) in &made {
                of_all.extend([(*function).to_owned(), format!("made_{function}")]);
            }
            for text in made.iter().map(|(_, body)| *body).chain([main]) {
                let known: BTreeSet<String> = declared(text).union(&of_all).cloned().collect();
                for (word, before, after) in code(text) {
                    let is_field = before == '.' || (after.starts_with('=') && !after.starts_with("=="));
                    let is_known = known.contains(&word) || LUA.split_whitespace().any(|lua| lua == word);
                    assert!(is_field || is_known, "{name}: {word} before {after:.40}");
                }
            }
            for (function, body) in &made {
                for used in used_of(function, main) {
                    assert!(body.contains(&format!("\nlocal function {used}(")), "{name}: {used}");
                }
            }
        }
    }

    #[test]
    fn a_script_names_the_keys_that_it_uses_and_no_others() {
        let text = &GIVE_BACK.text;
        assert!(text.contains("local WAKE = base .. ':wake'\n") && !text.contains(":tasks'"), "{text}");
        let (made, main) = sections(&CLAIM);
        let rare = made.iter().find(|(name, _)| *name == "rarely").unwrap().1;
        assert!(rare.contains("local UNIQ = ") && !main.contains("local UNIQ = "));
        assert!(rare.contains("local TASKS = ") && main.contains("local TASKS = "));
    }
}
