//! Tables and rules of the business: bookings, prices, conversations, numbers, automations, booking calls, audit.
//!
//! Functions take a transaction (or a pool, for reads) and the current time, change rows, and return facts. The caller
//! enqueues the jobs that follow from a fact, in the same transaction. Every rule that decides something is a pure
//! function next to the statement that stores its result.
//!
//! **Invariant:** no HTTP, no client of a provider, and no use of the queue.

pub mod access;
pub mod actor;
mod advisory;
pub mod audience;
pub mod audit;
pub mod automations;
pub mod bookings;
pub mod calls;
pub mod confirmation;
pub mod country;
mod error;
pub mod exceptions;
mod field_errors;
pub mod idempotency;
pub mod ids;
pub mod inbox;
mod list;
pub mod messaging;
pub mod metrics;
pub mod offers;
pub mod page;
pub mod people;
pub mod phone;
pub mod pricing;
pub mod promises;
pub mod reconciliation;
pub mod retention;
pub mod seed;
mod short_hash;
pub mod stream;
mod text_enum;
pub mod viewer;
pub mod warning;

pub use error::{Error, Result};

/// Starts an audit entry about something that `by` did.
pub(crate) fn audit_entry(event: audit::Event, status: &'static str, by: &actor::Actor) -> audit::Entry {
    audit::Entry::new(event, status, by)
}
