//! Lists: pages out of the structures that tasks lie in, one after the other. A cursor names the structure and a place
//! in it.

use task_core::{Filter, Lookup, Name, Page, QueueError, TaskStatus};

use crate::{queue::RedisQueue, record, script};

/// The structures, as the script knows them, in the order in which they are listed.
const SOURCES: [(&str, TaskStatus); 10] = [
    ("ready", TaskStatus::Pending),
    ("suspects", TaskStatus::Pending),
    ("named", TaskStatus::Pending),
    ("delayed", TaskStatus::Pending),
    ("run", TaskStatus::Running),
    ("retry", TaskStatus::Retry),
    ("end:C", TaskStatus::Completed),
    ("end:F", TaskStatus::Failed),
    ("end:S", TaskStatus::Skipped),
    ("end:X", TaskStatus::Cancelled),
];

/// The most tasks that one step reads: it holds the server, and brings their messages along.
const STEP: usize = 100;
/// The most that one page looks at, where a name leaves most of them out.
const LOOKED_AT: usize = 2_000;

pub(crate) async fn list(redis: &RedisQueue, queue: &Name, filter: Filter) -> Result<Page, QueueError> {
    let limit = filter.limit.clamp(1, 1000);
    let (first, mut place) = start(filter.cursor.as_deref())?;
    let mut page = Page::default();
    let mut looked_at = 0;
    for (source, status) in &SOURCES[first..] {
        let mut from = std::mem::take(&mut place);
        if filter.status.is_some_and(|wanted| wanted != *status) {
            continue;
        }
        loop {
            let left = limit - page.tasks.len();
            // of a hash only whole buckets are read, which fit on an empty page
            let fits = *source != "run" || page.tasks.is_empty();
            if left == 0 || looked_at >= LOOKED_AT || !fits {
                page.next = Some(format!("{source} {from}"));
                return Ok(page);
            }
            let most = left.min(STEP);
            let mut call = redis.call(queue);
            call.arg(*source).arg(from).number(most as u64);
            let mut reply = redis.run(&script::LIST, &call, queue).await?;
            let now = redis.time(&mut reply)?;
            from = reply.text()?;
            let mut views = reply.list()?;
            while !views.is_empty() {
                // the sweep is bounded, so it may be behind: what has expired is not shown
                if let Lookup::Found(record) = record::read(queue, views.value())?.lookup(now)
                    && filter.name.as_ref().is_none_or(|name| record.task == *name)
                {
                    page.tasks.push(*record);
                }
            }
            looked_at += most;
            if from.is_empty() {
                break;
            }
        }
    }
    Ok(page)
}

/// Where a page begins: the number of the structure, and the place in it.
fn start(cursor: Option<&str>) -> Result<(usize, String), QueueError> {
    let Some(cursor) = cursor else { return Ok((0, String::new())) };
    let found = cursor.split_once(' ').filter(|(_, place)| place.len() <= 160).and_then(|(source, place)| {
        Some((SOURCES.iter().position(|(name, _)| *name == source)?, place.to_owned()))
    });
    found.ok_or_else(|| QueueError::invalid(format!("`{}` is no cursor of a list", cursor.escape_debug())))
}
