//! A shop's billing, producer and worker in one process: invoices go out by mail, and who does not pay is reminded.
//!
//! The app calls [`Billing`]; [`tasks`] has what runs behind its back. Both share the [`Books`], since they are one process.
//! README.md shows what the program says.

mod billing;
mod books;
mod outbox;
pub mod tasks;

pub use billing::Billing;
pub use books::{Books, Invoice, Statement};
pub use outbox::Outbox;
