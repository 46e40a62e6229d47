use serde::Serialize;
use serde_json::Value;

use crate::stage::Stage;

/// What a run found; of what it does not measure there is nothing.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    run: &'static str,
    queue: String,
    durability: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tasks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duplicated: Option<u64>,
    /// Results that are not those of their tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wrong: Option<u64>,
    #[serde(flatten)]
    figures: serde_json::Map<String, Value>,
}

impl Report {
    pub(crate) fn new(run: &'static str, stage: &Stage) -> Self {
        let queue = task_core::without_password(&stage.url);
        Self { run, queue, durability: stage.persistence.clone(), ..Self::default() }
    }

    /// A figure, rounded to four digits or whole.
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        let digits = (3 - value.abs().max(1e-9).log10().floor() as i32).max(0);
        let scale = 10f64.powi(digits);
        self.figures.insert(name.to_owned(), ((value * scale).round() / scale).into());
    }

    /// Whether each task ran exactly once, with the right result.
    pub(crate) fn is_exact(&self) -> bool {
        [self.lost, self.duplicated, self.wrong].iter().all(|count| count.unwrap_or(0) == 0)
    }

    pub(crate) fn print(&self, json: bool) {
        let value = serde_json::to_value(self).unwrap_or_default();
        if json {
            println!("{value}");
            return;
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            println!("{name:<28}{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
}
