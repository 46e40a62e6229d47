//! What a worker says of itself, as it is stored.

use task_core::{Incarnation, Name, QueueError, Registration, Timestamp, WorkerInfo};

use crate::{
    clock::millis,
    reply::{Reply, corrupt},
    script::Call,
};

/// The arguments by which a claim or a heartbeat registers: its label, its names, and all that people may look at.
pub(crate) fn register(call: &mut Call, registration: &Registration) {
    let Registration { label, host, pid, concurrency, names, lease, .. } = registration;
    // each name between line ends, so that a script finds it whole
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    // strings and numbers into memory can't fail
    let about =
        rmp_serde::to_vec(&(label, host, pid, concurrency, names, millis(*lease))).unwrap_or_default();
    call.arg(&**label).arg(format!("\n{lines}")).arg(about);
}

/// A worker as `stats` answers it; none if this release can't read its registration: nothing is decided by it.
pub(crate) fn read(mut reply: Reply) -> Result<Option<WorkerInfo>, QueueError> {
    let (incarnation, about, seen, lease_end) =
        (reply.text()?, reply.bytes()?, reply.text()?, reply.number()?);
    let about = rmp_serde::from_slice::<(String, String, u32, u32, Vec<Name>, u64)>(&about);
    let Ok((label, host, pid, concurrency, names, lease)) = about else { return Ok(None) };
    let incarnation: Incarnation =
        incarnation.parse().map_err(|_| corrupt("the incarnation of a worker can't be read"))?;
    // when it began, how many tasks it ran at its last beat, and how many it would
    let mut numbers = seen.split(',').map(|number| number.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    let (since, busy) = (next().unwrap_or(0), next().unwrap_or(0));
    let concurrency = next().and_then(|now| u32::try_from(now).ok()).unwrap_or(concurrency);
    let mut registration = Registration::new(label, names);
    (registration.host, registration.pid, registration.concurrency) = (host, pid, concurrency);
    let since = Timestamp::from_millis(since);
    let mut info = WorkerInfo::new(incarnation, &registration, since);
    // each sign of life moves the lease on, and nothing else is written for it
    info.seen = Timestamp::from_millis(lease_end.saturating_sub(lease));
    info.busy = u32::try_from(busy).unwrap_or(u32::MAX);
    Ok(Some(info))
}
