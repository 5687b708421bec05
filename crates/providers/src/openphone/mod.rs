//! OpenPhone (Quo): reads inbound texts and delivery updates, and sends texts.

mod event;
pub mod signature;

pub use event::{Event, Fact, ParseError, received_event};
