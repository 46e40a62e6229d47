//! A user who gives the crates other names: the macros follow.

use params::TaskParams;
use serde::{Deserialize, Serialize};
use work::{Task, TaskRegistry, task};

/// Params by the derive.
#[derive(Serialize, Deserialize, TaskParams)]
#[task(name = "greet", output = String, timeout = "1s")]
pub struct Greet {
    /// Whom.
    pub whom: String,
}

/// Says good-bye.
#[task]
pub fn leave(whom: String) -> Result<String, String> {
    Ok(format!("bye, {whom}"))
}

/// Both kinds in a registry.
pub fn registry() -> TaskRegistry {
    let greet = |greet: Greet, _ctx| async move { Ok(format!("hello, {}", greet.whom)) };
    TaskRegistry::new().register_fn(greet).register(Leave::task())
}

/// What `registry` holds is a task by the renamed crate.
pub fn as_task() -> impl Task<Params = Leave> {
    Leave::task()
}

#[test]
fn the_macros_follow_a_renamed_dependency() {
    assert_eq!(registry().names().map(|name| name.as_str()).collect::<Vec<_>>(), ["greet", "leave"]);
    assert_eq!(leave("Ada".into()), Ok("bye, Ada".into()));
}
