//! A user who depends on task-worker alone: the derive reaches task-core through it.

use serde::{Deserialize, Serialize};
use task_worker::prelude::*;

/// Params by the derive.
#[derive(Serialize, Deserialize, TaskParams)]
#[task(output = String, timeout = "1s")]
pub struct Greet {
    /// Whom.
    pub whom: String,
}

#[test]
fn the_derive_reaches_task_core_through_task_worker() {
    let registry = TaskRegistry::new().register_fn(|greet: Greet, _ctx| async move { Ok(greet.whom) });
    assert!(registry.names().eq(["greet"]));
}
