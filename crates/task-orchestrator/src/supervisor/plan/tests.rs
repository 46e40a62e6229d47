use super::{
    seat::{MAX_BACKOFF, MINUTE},
    *,
};

const LIMITS: Limits = Limits {
    max_restarts: 3,
    ready: Duration::from_secs(30),
    silence: Duration::from_secs(10),
    grace: Duration::from_secs(25),
    speaks: true,
};

/// A plan and a clock that only moves when it is told to.
struct Bench {
    plan: Plan,
    now: Instant,
}

impl Bench {
    fn new(seats: usize, limits: Limits) -> Self {
        let now = Instant::now();
        Self { plan: Plan::new(seats, limits, 7, now), now }
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        self.plan.decide(event, self.now)
    }

    fn after(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.on(Event::Tick)
    }

    /// The start that runs after its time has come.
    fn restarted(&mut self) -> Start {
        let wait = self.plan.next_deadline().unwrap().saturating_duration_since(self.now);
        started(&self.after(wait))[0]
    }
}

fn started(actions: &[Action]) -> Vec<Start> {
    let start = |action: &Action| match action {
        Action::Start { start, .. } => Some(*start),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_seat_is_filled_at_once() {
    let mut bench = Bench::new(3, LIMITS);
    assert_eq!(started(&bench.on(Event::Tick)), [0, 1, 2]);
    assert_eq!(bench.on(Event::Tick), []);
}

#[test]
fn a_dead_worker_is_released_before_anything_else_and_started_again_with_backoff() {
    let mut bench = Bench::new(1, Limits { max_restarts: 100, ..LIMITS });
    bench.on(Event::Tick);
    let mut waits = Vec::new();
    for start in 0..12 {
        let actions = bench.on(Event::Exited(start));
        assert_eq!(actions[0], Action::Release(start));
        let [_, Action::Say(0, Notice::Restarts(wait))] = actions[..] else { panic!("{actions:?}") };
        waits.push(wait);
        assert_eq!(started(&bench.after(wait)), [start + 1]);
    }
    assert!(waits[0] >= Duration::from_millis(75) && waits[0] <= Duration::from_millis(125), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= MAX_BACKOFF.mul_f64(1.25)), "{waits:?}");
    assert!(waits[4] > waits[0].mul_f64(8.0), "{waits:?}");
}

#[test]
fn a_healthy_minute_makes_the_next_backoff_short_again() {
    let mut bench = Bench::new(1, Limits { max_restarts: 100, ..LIMITS });
    bench.on(Event::Tick);
    for start in 0..6 {
        bench.on(Event::Exited(start));
        assert_eq!(bench.restarted(), start + 1);
    }
    bench.on(Event::Ready(6));
    bench.after(MINUTE);
    let actions = bench.on(Event::Exited(6));
    let [_, Action::Say(0, Notice::Restarts(wait))] = actions[..] else { panic!("{actions:?}") };
    assert!(wait <= Duration::from_millis(125), "{wait:?}");
}

#[test]
fn starts_that_come_to_nothing_park_the_seat_and_it_is_tried_again_each_minute() {
    let mut bench = Bench::new(1, LIMITS);
    bench.on(Event::Tick);
    for start in 0..2 {
        bench.on(Event::Exited(start));
        assert_eq!(bench.restarted(), start + 1);
    }
    assert_eq!(bench.on(Event::Exited(2)), [Action::Release(2), Action::Say(0, Notice::Parked)]);
    assert!(bench.plan.all_parked());
    assert_eq!(bench.after(MINUTE - SECOND), []);
    for start in 3..6 {
        assert_eq!(started(&bench.after(MINUTE)), [start]);
        assert!(!bench.plan.all_parked());
        assert!(bench.on(Event::Exited(start)).contains(&Action::Say(0, Notice::Parked)));
    }
}

#[test]
fn a_poison_task_parks_nobody_and_keeps_its_neighbours_waiting_for_a_second_at_most() {
    let mut bench = Bench::new(1, LIMITS);
    bench.on(Event::Tick);
    for start in 0..10 {
        bench.on(Event::Ready(start));
        bench.on(Event::Exited(start));
        bench.on(Event::Released { start, tasks: 1 });
        assert!(!bench.plan.all_parked(), "{start}");
        let wait = bench.plan.next_deadline().unwrap().saturating_duration_since(bench.now);
        assert!(wait <= SECOND, "{start}: {wait:?}");
        assert_eq!(bench.restarted(), start + 1);
    }
}

#[test]
fn a_worker_that_does_not_stop_is_killed_after_its_grace() {
    let mut bench = Bench::new(1, LIMITS);
    bench.on(Event::Tick);
    assert_eq!(bench.on(Event::Stop), [Action::Term(0)]);
    assert_eq!(bench.after(LIMITS.grace - SECOND), []);
    assert_eq!(bench.after(SECOND), [Action::Say(0, Notice::Stubborn), Action::Kill(0)]);
    assert!(!bench.plan.is_over());
    assert_eq!(bench.on(Event::Exited(0)), [Action::Release(0)]);
    assert!(bench.plan.is_over());
}

#[test]
fn a_second_signal_shortens_the_grace() {
    let mut bench = Bench::new(1, LIMITS);
    bench.on(Event::Tick);
    bench.on(Event::Stop);
    assert_eq!(bench.on(Event::StopNow), [Action::Term(0)]);
    assert_eq!(bench.after(NOW), [Action::Say(0, Notice::Stubborn), Action::Kill(0)]);
}

#[test]
fn only_a_worker_that_speaks_is_watched_by_the_clock() {
    let mut bench = Bench::new(1, Limits { speaks: false, ..LIMITS });
    bench.on(Event::Tick);
    assert_eq!(bench.after(Duration::from_secs(3600)), []);
    bench.on(Event::Alive { start: 0, watchdog: true });
    assert_eq!(bench.after(LIMITS.silence - SECOND), []);
    bench.on(Event::Alive { start: 0, watchdog: true });
    assert_eq!(bench.after(LIMITS.silence - SECOND), []);
    assert_eq!(bench.after(SECOND), [Action::Say(0, Notice::Silent), Action::Term(0)]);

    let mut bench = Bench::new(1, LIMITS);
    bench.on(Event::Tick);
    assert_eq!(bench.after(LIMITS.ready), [Action::Say(0, Notice::NotReady), Action::Term(0)]);
}

#[test]
fn a_worker_of_ours_that_freezes_before_its_first_sign_of_life_is_not_watched_by_its_exit_alone() {
    let mut bench = Bench::new(1, LIMITS);
    bench.on(Event::Tick);
    bench.on(Event::Ready(0));
    assert_eq!(bench.after(LIMITS.silence), [Action::Say(0, Notice::Silent), Action::Term(0)]);
}

#[test]
fn a_worker_that_says_what_it_waits_for_is_not_taken_for_one_that_hangs() {
    let mut bench = Bench::new(1, LIMITS);
    bench.on(Event::Tick);
    for _ in 0..10 {
        assert_eq!(bench.after(LIMITS.ready - SECOND), []);
        bench.on(Event::Alive { start: 0, watchdog: false });
    }
    assert_eq!(bench.after(LIMITS.ready), [Action::Say(0, Notice::NotReady), Action::Term(0)]);
}

#[test]
fn a_rolling_restart_has_the_new_worker_ready_before_the_old_one_stops() {
    let mut bench = Bench::new(2, LIMITS);
    bench.on(Event::Tick);
    bench.on(Event::Ready(0));
    bench.on(Event::Ready(1));
    assert_eq!(bench.on(Event::Reload), [Action::Start { seat: 0, start: 2 }]);
    assert_eq!(bench.after(SECOND), []);
    assert_eq!(bench.on(Event::Ready(2)), [Action::Term(0)]);
    assert_eq!(
        bench.on(Event::Exited(0)),
        [Action::Release(0), Action::Start { seat: 1, start: 3 }],
        "the next seat only when this one is done"
    );
    assert_eq!(bench.on(Event::Ready(3)), [Action::Term(1)]);
    assert_eq!(bench.on(Event::Exited(1)), [Action::Release(1)]);
    assert_eq!(bench.plan.alive(), 2);
}

#[test]
fn a_rolling_restart_asked_for_again_leaves_no_seat_with_what_was_started_before() {
    // the seat that the first one was at kept the version of the first, and another seat had two successors at a time
    let mut bench = Bench::new(2, LIMITS);
    bench.on(Event::Tick);
    bench.on(Event::Ready(0));
    bench.on(Event::Ready(1));
    assert_eq!(bench.on(Event::Reload), [Action::Start { seat: 0, start: 2 }]);
    assert_eq!(bench.on(Event::Reload), [], "one seat at a time");
    assert_eq!(bench.on(Event::Ready(2)), [Action::Term(0)]);
    let again = [Action::Release(0), Action::Start { seat: 0, start: 3 }];
    assert_eq!(bench.on(Event::Exited(0)), again, "the successor is older than the second call");
    assert_eq!(bench.on(Event::Ready(3)), [Action::Term(2)]);
    assert_eq!(bench.on(Event::Exited(2)), [Action::Release(2), Action::Start { seat: 1, start: 4 }]);
    assert_eq!(bench.on(Event::Ready(4)), [Action::Term(1)]);
    assert_eq!(bench.on(Event::Exited(1)), [Action::Release(1)]);
    assert_eq!((bench.plan.alive(), bench.after(SECOND)), (2, vec![]));
}

#[test]
fn an_old_worker_that_dies_before_its_successor_is_ready_is_counted_and_the_rest_goes_on() {
    // a version that could not live was rolled out without anybody being told of its deaths
    let mut bench = Bench::new(2, LIMITS);
    bench.on(Event::Tick);
    bench.on(Event::Ready(0));
    bench.on(Event::Ready(1));
    bench.on(Event::Reload);
    let died = bench.on(Event::Exited(0));
    let next = Action::Start { seat: 1, start: 3 };
    assert_eq!(died, [Action::Release(0), Action::Say(0, Notice::TakenOver), next]);
    assert_eq!(bench.on(Event::Exited(2)).len(), 2, "released, and started again after a pause");
    assert_eq!(started(&bench.after(SECOND)), [4]);
    assert!(bench.on(Event::Exited(4)).contains(&Action::Say(0, Notice::Parked)), "three deaths in a minute");
}

#[test]
fn a_new_version_that_does_not_start_leaves_the_old_workers_alone() {
    let mut bench = Bench::new(2, LIMITS);
    bench.on(Event::Tick);
    bench.on(Event::Reload);
    let failed = [Action::Release(2), Action::Say(0, Notice::ReloadFailed)];
    assert_eq!(bench.on(Event::Exited(2)), failed);
    assert_eq!((bench.plan.alive(), bench.after(SECOND)), (2, vec![]));
}

/// Whatever comes in whatever order: after a stop nothing starts; each death is released once; a seat never has more
/// than two starts; and when all that lived has ended after a stop, it is over.
#[test]
fn no_order_of_two_events_breaks_what_always_holds() {
    let events = |start| {
        [
            Event::Tick,
            Event::Ready(start),
            Event::Alive { start, watchdog: true },
            Event::Alive { start, watchdog: false },
            Event::Exited(start),
            Event::Released { start, tasks: 0 },
            Event::Released { start, tasks: 2 },
            Event::Stop,
            Event::StopNow,
            Event::Reload,
        ]
    };
    let pauses = [Duration::ZERO, SECOND, LIMITS.grace, MINUTE];
    for first in events(0) {
        for second in events(0) {
            for third in events(2) {
                for pause in pauses {
                    let mut bench = Bench::new(2, LIMITS);
                    let mut all = bench.on(Event::Tick);
                    let mut stopped = false;
                    for event in [first, second, third] {
                        stopped |= matches!(event, Event::Stop | Event::StopNow);
                        let mut actions = bench.on(event);
                        actions.extend(bench.after(pause));
                        assert!(!stopped || started(&actions).is_empty(), "{first:?} {second:?} {third:?}");
                        all.extend(actions);
                    }
                    assert!(bench.plan.alive() <= 4);
                    all.extend(bench.on(Event::Stop));
                    for start in started(&all) {
                        all.extend(bench.on(Event::Exited(start)));
                    }
                    let context = format!("{first:?}, {second:?}, {third:?}, {pause:?}: {all:?}");
                    assert!(bench.plan.is_over() && bench.plan.next_deadline().is_none(), "{context}");
                    for start in started(&all) {
                        let released = all.iter().filter(|action| **action == Action::Release(start)).count();
                        assert_eq!(released, 1, "start {start}; {context}");
                    }
                }
            }
        }
    }
}
