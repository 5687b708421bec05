//! OpenPhone (Quo): reads inbound texts and delivery updates, and sends texts.

mod carrier;
pub mod client;
mod error;
mod event;
mod lookup;
mod received;
pub mod sign;
pub mod signature;
mod status;

pub use client::OpenPhoneClient;
pub use event::{Event, Fact, ParseError, received_event};
pub use status::delivery;
