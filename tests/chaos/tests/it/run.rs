//! One run: a schedule of faults under load, and then the check.

use std::sync::atomic::Ordering;

use chaos::now;
use fastrand::Rng;
use task_core::Timestamp;

use crate::{
    check::History,
    fault::{Fault, Injected},
    probe,
    progress::PROGRESS,
    report::Report,
    scale::Scale,
    schedule::{Step, schedule},
    stage::Stage,
};

/// What a run is made of; all else follows from the seed.
pub(crate) struct Plan<'a> {
    pub(crate) seed: u64,
    /// Each fault, and how often.
    pub(crate) faults: &'a [(Fault, usize)],
    /// At most so many tasks are run between two faults.
    pub(crate) apart: usize,
    /// Arguments of redis-server.
    pub(crate) server: &'a [&'a str],
    pub(crate) scale: &'static Scale,
}

/// With every write on the disk before its answer: nothing may be lost.
pub(crate) const ALWAYS: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

/// With writes on the disk within a second.
pub(crate) const EVERY_SECOND: &[&str] = &["--appendonly", "yes", "--appendfsync", "everysec"];

impl Plan<'_> {
    /// Runs it.
    ///
    /// # Panics
    /// If a promise was broken; it says which, and with which seed.
    pub(crate) async fn run(self) -> Report {
        self.run_until(|| false).await
    }

    /// The same; the rest of the schedule is left out once it is over.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub(crate) async fn run_until(self, is_over: impl Fn() -> bool) -> Report {
        println!("CHAOS_SEED={} {:?}", self.seed, self.faults);
        let steps = schedule(self.seed, self.faults, self.apart);
        let own_clock = self.faults.iter().any(|(fault, _)| *fault == Fault::WorkersClocks);
        let mut stage = Stage::open(self.seed, self.server, self.scale, own_clock).await;
        stage.progress(20).await;
        let mut injected = Vec::new();
        for step in &steps {
            if is_over() {
                break;
            }
            injected.push(self.step(step, &mut stage).await);
        }
        if !is_over() {
            stage.progress(self.apart).await;
        }
        let entries = stage.close_apps().await;
        stage.drained().await;
        self.holds(&stage.contradictions(), "once all is done");
        let slow = probe::slow_starts(&stage).await;
        self.holds(&slow, "idle workers start what is due");
        let stats = stage.drained().await;
        let records = stage.records().await;
        let lines = {
            let mut book = stage.book.lock().unwrap();
            book.read().unwrap();
            std::mem::take(&mut book.lines)
        };
        let probes = probe::entries();
        let entries: Vec<_> = entries.into_iter().chain(probes).collect();
        // the two clocks are of one machine
        let epoch = Timestamp::now().as_millis() * 1000 - now();
        PROGRESS.correct(stage.shared.ended.load(Ordering::Relaxed), records.len());
        let history = History {
            entries: &entries,
            lines: &lines,
            records: &records,
            seen: &stage.shared.seen.lock().unwrap().clone(),
            stats: &stats,
            victims: &stage.fleet.victims.clone(),
            heirs: &stage.fleet.heirs.clone(),
            losses: &stage.server.losses.clone(),
            clock_is_true: !stage.clock_was_set,
            epoch,
        };
        let wrong = history.violations();
        if !wrong.is_empty() {
            stage.evidence.write("violations", &wrong);
            stage.evidence.write("entries", &entries);
            stage.evidence.write("records", records.values());
            stage.evidence.write("seen", history.seen);
            stage.evidence.write("victims", history.victims);
            stage.evidence.write("losses", history.losses);
        }
        self.holds(&wrong, "each task ran and ended as promised");
        let mut report = Report { seeds: vec![self.seed], ..Report::default() };
        (report.enqueued, report.finished) =
            (stats.iter().map(|stats| stats.totals.enqueued).sum(), records.len() as u64);
        report.again = history.again();
        report.count(&injected, &lines);
        self.holds(&stage.left_over().await, "nothing is left over");
        println!("{report}\n");
        report
    }

    async fn step(&self, step: &Step, stage: &mut Stage) -> Injected {
        stage.progress(step.after).await;
        let at = now();
        let injected = step.fault.inject(stage, &mut Rng::with_seed(step.seed)).await;
        if !stage.server.losses.is_empty() {
            stage.shared.forget_backlog();
        }
        if !self.scale.long {
            println!("{:>9} µs {}", now() - at, step.fault.words());
        }
        PROGRESS.injected(step.fault);
        // one fault comes after the other, and tasks are run between them
        stage.progress_everywhere().await;
        self.holds(&stage.contradictions(), step.fault.words());
        // every other time the next fault waits for what this one has stopped, so that it is known how long that takes
        if self.scale.long && step.seed.is_multiple_of(2) {
            stage.made_good(&injected).await;
        }
        injected
    }

    fn holds(&self, wrong: &[String], what: &str) {
        let rounds = if self.scale.long { "CHAOS_ROUNDS=1 " } else { "" };
        let shown = &wrong[..wrong.len().min(20)];
        assert!(
            wrong.is_empty(),
            "{rounds}CHAOS_SEED={}: {what}: {} times not:\n{}",
            self.seed,
            wrong.len(),
            shown.join("\n")
        );
    }
}
