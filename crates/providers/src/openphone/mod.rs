//! OpenPhone (Quo): reads inbound texts and delivery updates, and sends texts.

mod event;

pub use event::{Event, Fact, ParseError};
