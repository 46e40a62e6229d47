use task_core::{Payload as _, ResultMessage, TaskId, TaskStatus};

use crate::{report::Report, stage::Stage, task::Seen};

/// The exact-delivery check: each task is COMPLETED with its own result, and ran once.
///
/// `ids` are those of the tasks with the numbers from 0 on; `runs` says by number how often each ran. Answers what the
/// tasks returned, in their order.
pub(crate) async fn check(
    stage: &Stage,
    ids: &[TaskId],
    runs: &[u8],
    report: &mut Report,
) -> anyhow::Result<Vec<(ResultMessage, Seen)>> {
    let mut seen = Vec::with_capacity(ids.len());
    let (mut lost, mut duplicated, mut wrong) = (0, 0, 0);
    for (n, record) in (0u64..).zip(stage.records(ids).await?) {
        let count = usize::try_from(n).ok().and_then(|n| runs.get(n)).copied().unwrap_or(0);
        duplicated += u64::from(count.saturating_sub(1));
        let result = record.result.as_deref().and_then(|bytes| Seen::from_bytes(bytes).ok());
        match result {
            Some(result) if record.status == TaskStatus::Completed && count > 0 => {
                wrong += u64::from(result.twice != n * 2);
                seen.push((record, result));
            }
            _ => lost += 1,
        }
    }
    report.tasks = Some(ids.len() as u64);
    (report.lost, report.duplicated, report.wrong) = (Some(lost), Some(duplicated), Some(wrong));
    Ok(seen)
}
