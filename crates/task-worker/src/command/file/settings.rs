//! The keys that `[defaults]` and each task know.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use task_core::RetryPolicy;
use toml::{Spanned, de::DeValue};

use super::reader::{Reader, Value};
use crate::command::{keys::keys, nearest::nearest, output::OutputRule, spec::Settings};

impl<'a> Reader<'a> {
    pub(super) fn settings(
        &mut self,
        value: &Value<'a>,
        place: &str,
        is_task: bool,
        settings: &mut Settings,
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, format!("{place} is {}, and must be a table", value.get_ref().type_str()));
            return;
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "command" if is_task => {}
                "cwd" => settings.cwd = self.cwd(value, place).unwrap_or_else(|| settings.cwd.clone()),
                "env" => self.environment(value, place, &mut settings.env),
                "pass_env" => settings.pass_env = self.pass_env(value, place),
                "output" => settings.output = self.output(value, place).unwrap_or_default(),
                "timeout" => settings.timeout = self.duration(value, place, name),
                "kill_after" => {
                    settings.kill_after = self.duration(value, place, name).unwrap_or(settings.kill_after);
                }
                "max_retries" => settings.max_retries = self.number(value, place, name, 0..=u32::MAX.into()),
                "backoff" => settings.backoff = self.backoff(value, place),
                "fatal_codes" => settings.fatal_codes = self.codes(value, place, name),
                "skip_codes" => settings.skip_codes = self.codes(value, place, name),
                "allow_dash" => settings.allow_dash = self.boolean(value, place, name),
                unknown => self.unknown_setting(key, unknown, place, is_task),
            }
        }
        if let Some(both) = settings.fatal_codes.iter().find(|code| settings.skip_codes.contains(code)) {
            self.wrong(
                value,
                format!("exit code {both} is in both `fatal_codes` and `skip_codes` of {place}"),
            );
        }
    }

    fn unknown_setting<T>(&mut self, at: &Spanned<T>, unknown: &str, place: &str, is_task: bool) {
        let known = || keys().iter().map(|key| key.name).filter(|name| is_task || *name != "command");
        let hint = match nearest(unknown, known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("it has {}", known().collect::<Vec<_>>().join(", ")),
        };
        self.wrong(at, format!("unknown key `{}` in {place}; {hint}", unknown.escape_debug()));
    }

    fn cwd(&mut self, value: &Value<'a>, place: &str) -> Option<PathBuf> {
        let cwd = self.folder.join(self.string(value, place, "cwd")?);
        if !cwd.is_dir() {
            let shown = cwd.display().to_string();
            self.wrong(value, format!("`cwd` in {place}: there is no folder {}", shown.escape_debug()));
        }
        Some(cwd)
    }

    fn pass_env(&mut self, value: &Value<'a>, place: &str) -> Vec<String> {
        let names = self.strings(value, place, "pass_env");
        for secret in ["TASK_QUEUE", "REDIS_URL"] {
            if names.iter().any(|name| name == secret) {
                let why = "the queue's URL is never passed on";
                self.wrong(value, format!("{secret} in `pass_env` of {place}: {why}"));
            }
        }
        names
    }

    fn output(&mut self, value: &Value<'a>, place: &str) -> Option<OutputRule> {
        let text = self.string(value, place, "output")?;
        let rule = OutputRule::NAMES.iter().find(|(name, _)| *name == text).map(|(_, rule)| *rule);
        if rule.is_none() {
            let (text, known) = (text.escape_debug(), "it is \"auto\", \"json\" or \"text\"");
            self.wrong(value, format!("`output` in {place} is \"{text}\"; {known}"));
        }
        rule
    }

    fn environment(&mut self, value: &Value<'a>, place: &str, env: &mut BTreeMap<String, String>) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.mistyped(value, place, "env", "a table of strings");
        };
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let known = !name.is_empty() && !name.contains(['=', '\0']);
            let ours = ["TASK_ID", "TASK_ATTEMPT", "TASK_INCARNATION"].contains(&name.as_str());
            if !known || ours {
                let name = name.escape_debug().to_string();
                self.wrong(
                    key,
                    format!("`env` in {place} can't set `{name}`; give the variable another name"),
                );
            } else if let Some(text) = self.string(value, place, &name) {
                env.insert(name, text);
            }
        }
    }

    fn backoff(&mut self, value: &Value<'a>, place: &str) -> Option<RetryPolicy> {
        let DeValue::Table(table) = value.get_ref() else {
            return self.duration(value, place, "backoff").map(RetryPolicy::fixed);
        };
        let (mut initial, mut max) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(600)));
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "initial" => initial = self.duration(value, place, "backoff.initial"),
                "max" => max = self.duration(value, place, "backoff.max"),
                other => {
                    let other = other.escape_debug().to_string();
                    self.wrong(
                        key,
                        format!("unknown key `{other}` in `backoff` of {place}; it has initial and max"),
                    );
                }
            }
        }
        Some(RetryPolicy::exponential(initial?, max?))
    }
}
