//! The tables of a tasks file.

use std::{collections::BTreeMap, sync::Arc};

use task_core::Name;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::reader::{Reader, Value};
use crate::command::{
    nearest::nearest,
    spec::{Settings, Spec},
    template::{Argument, unfilled},
};

impl<'a> Reader<'a> {
    pub(super) fn file(&mut self) -> BTreeMap<Name, Arc<Spec>> {
        let root = match DeTable::parse(self.text) {
            Ok(root) => root.into_inner(),
            Err(error) => {
                self.wrong_at(error.span().map_or(0, |span| span.start), error.message().to_owned());
                return BTreeMap::new();
            }
        };
        let mut defaults = Settings::new(self.folder);
        let mut tasks = BTreeMap::new();
        for (key, value) in &root {
            match key.get_ref().as_ref() {
                "tasks" => {}
                "defaults" => self.settings(value, "[defaults]", false, &mut defaults),
                other => {
                    let meant = nearest(other, ["tasks", "defaults"].into_iter());
                    let meant = meant.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
                    let known = "a tasks file has [tasks.NAME] and [defaults]";
                    self.wrong(key, format!("unknown key `{}`; {known}{meant}", other.escape_debug()));
                }
            }
        }
        match root.get("tasks") {
            Some(value) => match value.get_ref() {
                DeValue::Table(table) => {
                    for (key, value) in table {
                        if let Some((name, spec)) = self.task(key.get_ref(), key, value, &defaults) {
                            tasks.insert(name, Arc::new(spec));
                        }
                    }
                }
                other => self.wrong(
                    value,
                    format!("`tasks` is {}, and must be tables [tasks.NAME]", other.type_str()),
                ),
            },
            None if !self.has_mistakes() => {
                self.wrong_at(
                    0,
                    "it names no task; write [tasks.NAME] with command = [\"program\", \"{param}\"]",
                );
            }
            None => {}
        }
        tasks
    }

    fn task<T>(
        &mut self,
        name: &str,
        at: &Spanned<T>,
        value: &Value<'a>,
        defaults: &Settings,
    ) -> Option<(Name, Spec)> {
        let shown = format!("[tasks.{}]", name.escape_debug());
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, format!("{shown} is {}, and must be a table", value.get_ref().type_str()));
            return None;
        };
        let name = name.parse::<Name>().map_err(|error| self.wrong(at, error.to_string())).ok();
        let mut settings = defaults.clone();
        self.settings(value, &shown, true, &mut settings);
        let Some(command) = table.get("command") else {
            // [tasks.mail.out] means a task `mail` with a key `out`: the likely slip
            let inner = table.iter().find(|(_, inner)| inner.get_ref().is_table());
            let inner = inner.map(|(inner, _)| inner.get_ref().to_string()).filter(|key| key != "env");
            let hint = inner
                .zip(name)
                .map(|(key, name)| format!("; for a name with a dot write [tasks.\"{name}.{key}\"]"));
            let hint = hint.unwrap_or_else(|| "; write command = [\"program\", \"{param}\"]".into());
            self.wrong(at, format!("{shown} has no command{hint}"));
            return None;
        };
        if command.get_ref().as_array().is_some_and(|words| words.is_empty()) {
            self.wrong(
                command,
                format!("the command of {shown} is empty; write [\"program\", \"{{param}}\"]"),
            );
        }
        let words = self.strings(command, &shown, "command");
        let (program, arguments) = words.split_first()?;
        for argument in arguments {
            if let Some(param) = unfilled(argument) {
                tracing::warn!(task = %shown, %argument, "{{{param}}} is not filled in: only a whole argument is");
            }
        }
        let program = self.program(command, &shown, program)?;
        let arguments = arguments.iter().map(|text| Argument::parse(text)).collect();
        Some((name?, Spec { program, arguments, settings }))
    }
}
