//! Chaos: real processes and a real server, a load that never stops, faults from a seed, and a check at the end.
//!
//! Each test is one run. A failure prints its seed: `CHAOS_SEED=7 cargo nextest run -p chaos --success-output final any`
//! replays the schedule of that one. With `CHAOS_MINUTES=60` or `CHAOS_TASKS=1000000` that test goes on for so long, or
//! for so many tasks, with faults of every kind, a new seed each round.

mod any;
mod book;
mod check;
mod clock;
mod failover;
mod fault;
mod flaws;
mod fleet;
mod frozen;
mod load;
mod network;
mod primary;
mod probe;
mod processes;
mod proxy;
mod recovery;
mod report;
mod run;
mod schedule;
mod server;
mod stage;
mod system;
