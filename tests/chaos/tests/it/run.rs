//! One run: a schedule of faults under load, and then the check.

use chaos::now;
use fastrand::Rng;

use crate::{
    check::History,
    fault::{Fault, Injected},
    probe,
    report::Report,
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
        println!("CHAOS_SEED={} {:?}", self.seed, self.faults);
        let steps = schedule(self.seed, self.faults, self.apart);
        let mut stage = Stage::open(self.seed, self.server).await;
        stage.progress(20).await;
        let mut injected = Vec::new();
        for step in &steps {
            injected.push(self.step(step, &mut stage).await);
        }
        stage.progress(self.apart).await;
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
        let history = History {
            entries: &entries,
            lines: &lines,
            records: &records,
            seen: &stage.shared.seen.lock().unwrap().clone(),
            stats: &stats,
            victims: &stage.fleet.victims.clone(),
            losses: &stage.server.losses.clone(),
            clock_is_true: !stage.clock_was_set,
        };
        self.holds(&history.violations(), "each task ran and ended as promised");
        let mut report = Report { seeds: vec![self.seed], ..Report::default() };
        (report.enqueued, report.finished) = (stats.totals.enqueued, records.len() as u64);
        report.again = history.again();
        injected.iter().for_each(|injected| report.count(injected, &lines));
        self.holds(&stage.left_over().await, "nothing is left over");
        println!("{report}\n");
        report
    }

    async fn step(&self, step: &Step, stage: &mut Stage) -> Injected {
        stage.progress(step.after).await;
        let at = now();
        let injected = step.fault.inject(stage, &mut Rng::with_seed(step.seed)).await;
        println!("{:>9} µs {}", now() - at, step.fault.words());
        // one fault comes after the other, and tasks are run between them
        stage.progress(1).await;
        self.holds(&stage.contradictions(), step.fault.words());
        injected
    }

    fn holds(&self, wrong: &[String], what: &str) {
        let shown = &wrong[..wrong.len().min(20)];
        assert!(
            wrong.is_empty(),
            "CHAOS_SEED={}: {what}: {} times not:\n{}",
            self.seed,
            wrong.len(),
            shown.join("\n")
        );
    }
}
