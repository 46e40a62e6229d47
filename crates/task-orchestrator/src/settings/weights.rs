use task_core::Name;

use super::{Mistake, Surroundings};

/// `NAME[=WEIGHT]` from the flags, else comma-separated from QUEUE_NAME, else `tasks`.
pub(super) fn resolve(flags: &[String], around: &Surroundings<'_>) -> Result<Vec<(Name, u32)>, Mistake> {
    let text = if flags.is_empty() { around.env("QUEUE_NAME").unwrap_or_default() } else { flags.join(",") };
    let mut queues: Vec<(Name, u32)> = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, weight) = match item.split_once('=') {
            None => (item, 1),
            Some((name, weight)) => {
                let number = weight.parse().ok().filter(|weight| (1..=1000).contains(weight));
                let wrong = || {
                    let item = item.escape_debug();
                    Mistake(format!("--queue-name {item}: a weight is a number from 1 to 1000: mail=3"))
                };
                (name, number.ok_or_else(wrong)?)
            }
        };
        let name: Name = name.parse().map_err(|error| Mistake(format!("--queue-name: {error}")))?;
        if queues.iter().any(|(known, _)| *known == name) {
            return Err(Mistake(format!("--queue-name {name} is given twice; give it one weight")));
        }
        queues.push((name, weight));
    }
    if queues.is_empty() {
        queues.push((Name::DEFAULT_QUEUE, 1));
    }
    Ok(queues)
}
