//! Protocols with one rule left out. The checker must catch each, or it proves nothing.

/// The rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Settlements are taken whatever token they show.
    NoFence,
    /// A claim takes the task off its list and notes nowhere who has it.
    DestructivePop,
    /// After an outage, leases that ran out meanwhile are ended at once.
    ReapWithoutGrace,
    /// A claim that is sent again is carried out again.
    ClaimNumberNotKept,
    /// A worker takes the next number after a claim that brought nothing.
    EmptyClaimAcknowledged,
    /// A result is written before its token is checked.
    BodyBeforeCheck,
    /// A claim takes what its list says, and a replay adds an entry though the old one is still there.
    OldEntryTaken,
    /// A claim that leaves ready tasks behind wakes nobody.
    WakeNotPassedOn,
    /// A claim that is answered as before, since it was sent again, wakes nobody for what it leaves.
    ResendWakesNobody,
    /// The tasks of a dead worker become ready without a wake.
    ReapWakesNobody,
    /// A worker that starts anew goes by the same incarnation, as if its lease were its name's.
    IncarnationReused,
    /// A cancel that was asked for is forgotten when the worker dies.
    CancelForgotten,
    /// A backend that lost the end of an attempt does not heed that its worker holds the task no more.
    LostEndKept,
    /// A heartbeat speaks also of the claim whose answer has not arrived.
    ClaimUnderWaySpokenOf,
}
