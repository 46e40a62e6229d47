//! Requests as a journal keeps them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use task_core::{Claim, Timestamp};

use super::{
    Apply, Beat, Cancel, Delete, Enqueue, Housekeep, Purge, Release, Replay, SetLimit, SetPaused, Settle,
    State, Tell, Tick,
};

/// A request that changes the state, and so has to be in a journal. The others only look.
pub trait Recorded: Apply {
    /// The request as a journal keeps it.
    fn command(&self) -> Command<'_>;
}

macro_rules! commands {
    ($($name:ident,)*) => {
        /// Any request that changes the state: to be written, and read again.
        ///
        /// Carried out again in the same order at the same times, commands lead to the same state.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Command<'a> {
            $(#[doc = concat!("A [`", stringify!($name), "`].")] $name(Cow<'a, $name>),)*
        }

        /// Again, for the change alone.
        impl Apply for Command<'_> {
            type Reply = ();

            fn apply(self, state: &mut State, now: Timestamp) {
                match self {
                    $(Self::$name(request) => drop(request.into_owned().apply(state, now)),)*
                }
            }
        }

        $(impl Recorded for $name {
            fn command(&self) -> Command<'_> {
                Command::$name(Cow::Borrowed(self))
            }
        })*
    };
}

commands! {
    Enqueue,
    Claim,
    Settle,
    Beat,
    Release,
    Cancel,
    Replay,
    Delete,
    Purge,
    SetPaused,
    SetLimit,
    Tell,
    Housekeep,
    Tick,
}
