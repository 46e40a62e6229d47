//! Chaos: real processes and a real server, a load that never stops, faults from a seed, and a check at the end.
//!
//! Each test is one run. A failure prints its seed, and keeps what was run and said. With `CHAOS_MINUTES=60`,
//! `CHAOS_TASKS=1000000` or `CHAOS_ROUNDS=2` the test in `any` goes on for so long, so many tasks, or so many rounds, with
//! faults of every kind and a new seed each round, the first of which is `CHAOS_SEED`; CONTRIBUTING.md has the commands.

mod any;
mod book;
mod busy;
mod check;
mod clock;
mod crew;
mod entry;
mod evidence;
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
mod progress;
mod proxy;
mod recovery;
mod report;
mod run;
mod scale;
mod schedule;
mod server;
mod stage;
mod system;
mod wall_clock;
