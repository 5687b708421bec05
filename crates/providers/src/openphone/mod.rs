//! OpenPhone (Quo): reads inbound texts and delivery updates, and sends texts.

mod carrier;
pub mod client;
mod error;
mod event;
mod lookup;
pub mod sign;
mod status;

pub use client::OpenPhoneClient;
pub use event::{Event, Fact, ParseError};
pub use status::delivery;
