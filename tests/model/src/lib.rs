//! A model of the queue's protocol, and a checker that walks through all of its states.
//!
//! The model is the design without its speed: one backend whose scripts are steps that nothing interrupts
//! (`backend/`, a file for each script), worker processes and producers that send until they are answered
//! (`process.rs`), a wire that loses replies and lets copies of a request arrive late (`wire.rs`), and everything that
//! can happen next (`action.rs`). `promise.rs` says what holds in every state. A promise that can't be read off one
//! state is read off the `ledger.rs`, which compares what is stored before and after each step.
//!
//! Time is order: a lease ends when its process is dead or stopped, or while the backend is away; a live worker beats
//! before a lease, or a grace, is over. That is what 3 s of heartbeat in 12 s of lease have to buy, and what the tests
//! on a busy machine are for.
//!
//! ```
//! use task_model::{Broken, Budget, Protocol, Scenario};
//!
//! let budget = || Budget { freezes: 1, ..Budget::default() };
//! assert!(Protocol::new(Scenario::new(1, 2, budget())).check().broken.is_none());
//!
//! // a worker that was stopped, and is not fenced, ends what runs elsewhere
//! let unfenced = Scenario::new(1, 2, budget()).without(Broken::NoFence);
//! let promise = "who lost a task changes nothing of it";
//! println!("{}", Protocol::new(unfenced).look_for(promise).broken.expect("a zombie"));
//! ```

mod action;
mod backend;
mod broken;
mod id;
mod ledger;
mod model;
mod process;
mod promise;
mod scenario;
mod wire;
mod world;

pub use action::Action;
pub use broken::Broken;
pub use id::{Incarnation, Task, Token, Worker};
pub use model::{Checked, Counterexample, Protocol};
pub use scenario::{Budget, Scenario};
pub use wire::{End, Request};
pub use world::World;
