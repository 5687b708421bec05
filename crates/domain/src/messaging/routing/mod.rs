//! Where an inbound text goes, and why.
//!
//! [`decide`] is a pure function from what is known ([`Facts`]) to one destination, with the list of its checks in order
//! and a sentence that answers "why was this text routed here?". [`load`] reads the facts, and [`trace`] stores and shows
//! the answer. The module `inbound` stores the text where the decision says.

mod arrived;
mod decide;
mod elsewhere;
mod facts;
mod load;
mod said;
mod steps;
pub mod trace;

pub use arrived::Arrived;
pub use decide::{Author, Decision, Destination, KeywordReply, Opting, Outcome, decide};
pub use facts::{Facts, KnownSitter, OpenThread, Reached, Sender, WindowOfThread};
pub(in crate::messaging) use load::client;
pub use load::{Known, Office, load};
pub use steps::{Check, Finding, Step};

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]
mod tests;
