//! Inbound texts: each is stored once, in the conversation that the routing decision names, together with everything that
//! follows from it.
//!
//! [`consider`] decides where a text goes, and [`store`] stores it there. Between the two the caller may act on a
//! sitter's answer to an offer, which locks bookings and so must come before the conversation's lock. Both run in one
//! transaction, and either may run again: a text that is stored already is not stored again.

mod consider;
pub mod measured;
mod place;
mod store;
pub mod unroutable;

pub use consider::{Considered, Routing, consider};
pub use store::{Stored, store};

pub use super::routing::{Arrived, Author};
