use std::cmp::Reverse;

use task_core::{
    Explanation, Filter, Lookup, Page, QueueError, QueueStats, Reason, ResultMessage, TaskId, TaskMessage,
    TaskStatus, WorkerInfo,
};

use super::{Place, Space, Task};

impl Space {
    pub(crate) fn lookup(&mut self, id: &TaskId) -> Lookup {
        self.tick();
        let now = self.now;
        match self.find(id).map(|place| &self.tasks[place]) {
            Some(Task { place: Place::Final { until }, .. }) if *until <= now => Lookup::Expired,
            Some(task) => task.record.clone().into(),
            None if self.remembered.iter().any(|known| known.id == *id) => Lookup::Expired,
            None => Lookup::NotFound,
        }
    }

    pub(crate) fn message(&mut self, id: &TaskId) -> Option<TaskMessage> {
        self.tick();
        let task = &self.tasks[self.find(id)?];
        let is_over = matches!(task.place, Place::Final { until } if until <= self.now);
        (task.params && !is_over).then(|| task.message.clone())
    }

    /// Whether a task COMPLETED or was SKIPPED: its message may be gone.
    pub(crate) fn is_done(&self, id: &TaskId) -> bool {
        let status = self.find(id).map(|place| self.tasks[place].record.status);
        matches!(status, Some(TaskStatus::Completed | TaskStatus::Skipped))
    }

    pub(crate) fn stats(&mut self) -> QueueStats {
        self.housekeeping();
        let count =
            |wanted: &dyn Fn(&Task) -> bool| self.tasks.iter().filter(|task| wanted(task)).count() as u64;
        let in_status = |status| count(&|task| task.record.status == status);
        let mut stats = QueueStats::new(self.name.clone());
        stats.pending = in_status(TaskStatus::Pending);
        stats.running = in_status(TaskStatus::Running);
        stats.retry = in_status(TaskStatus::Retry);
        stats.completed = in_status(TaskStatus::Completed);
        stats.failed = in_status(TaskStatus::Failed);
        stats.skipped = in_status(TaskStatus::Skipped);
        stats.cancelled = in_status(TaskStatus::Cancelled);
        let scheduled = |task: &Task| matches!(task.place, Place::Scheduled(_));
        stats.delayed = count(&|task| scheduled(task) && task.record.status == TaskStatus::Pending);
        stats.unknown_name = count(&|task| task.place == Place::Unknown);
        stats.suspects = count(&|task| task.place == Place::Suspect);
        let ready = self.tasks.iter().filter(|task| task.place == Place::Ready);
        let waited = ready.map(|task| self.now.since(task.record.enqueued_at).as_secs_f64());
        stats.oldest_pending_secs = waited.reduce(f64::max);
        stats.paused = self.paused;
        stats.limit = self.limit;
        stats.totals = self.totals;
        stats.workers = self.workers.iter().map(worker_info).collect();
        stats
    }

    pub(crate) fn list(&mut self, filter: &Filter) -> Result<Page, QueueError> {
        self.housekeeping();
        let from: Result<usize, _> = filter.cursor.as_deref().unwrap_or("0").parse();
        let from = from.map_err(|_| QueueError::invalid("this is no cursor of a list"))?;
        let wanted = |task: &&Task| {
            filter.status.is_none_or(|status| task.record.status == status)
                && filter.name.as_ref().is_none_or(|name| task.record.task == *name)
        };
        let mut tasks: Vec<&Task> = self.tasks.iter().filter(wanted).collect();
        tasks.sort_by_key(|task| match task.place {
            Place::Final { .. } => (task.record.status, Reverse(0), 0, Reverse(task.ended)),
            _ => (task.record.status, Reverse(task.message.priority), task.rank, Reverse(0)),
        });
        let page: Vec<ResultMessage> =
            tasks.iter().skip(from).take(filter.limit.max(1)).map(|task| task.record.clone()).collect();
        let next = from + page.len();
        Ok(Page::new(page, (next < tasks.len()).then(|| next.to_string())))
    }

    pub(crate) fn explain(&mut self, id: &TaskId) -> Option<Explanation> {
        self.housekeeping();
        let task = &self.tasks[self.find(id)?];
        let record = task.record.clone();
        let mut reasons = Vec::new();
        let millis = |duration: std::time::Duration| duration.as_millis() as u64;
        if record.status.is_final() {
            return Some(Explanation::new(record, vec![Reason::Final]));
        }
        if let Place::Running(_) = task.place {
            let worker = record.worker.as_deref().unwrap_or_default().into();
            let since = record.started_at.unwrap_or(self.now);
            reasons.push(Reason::Running { worker, millis: millis(self.now.since(since)) });
            if record.cancel_requested {
                reasons.push(Reason::CancelRequested);
            }
            return Some(Explanation::new(record, reasons));
        }
        if self.paused {
            reasons.push(Reason::Paused);
        }
        let workers = self.workers.len() as u64;
        let knowing =
            self.workers.iter().filter(|w| w.registration.names.contains(&record.task)).count() as u64;
        if workers == 0 {
            reasons.push(Reason::NoWorkers);
        } else if knowing < workers {
            reasons.push(Reason::NameKnownBy { knowing, workers });
        }
        match task.place {
            Place::Scheduled(due) => reasons.push(Reason::DueIn { millis: millis(due.since(self.now)) }),
            _ if task.is_suspect() => reasons.push(Reason::Suspect { crashes: record.crashes }),
            _ => {
                let order = |task: &Task| (Reverse(task.message.priority), task.rank);
                let before = |other: &&Task| other.place == Place::Ready && order(other) < order(task);
                let tasks = self.tasks.iter().filter(before).count() as u64;
                if tasks > 0 {
                    reasons.push(Reason::Behind { tasks });
                }
            }
        }
        Some(Explanation::new(record, reasons))
    }
}

fn worker_info(worker: &super::Worker) -> WorkerInfo {
    let mut info = WorkerInfo::new(worker.incarnation, &worker.registration, worker.since);
    (info.busy, info.seen) = (worker.busy, worker.seen);
    info
}
