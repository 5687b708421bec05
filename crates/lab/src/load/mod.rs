//! `nightshift load`: drives a server and tells how fast it answers.
//!
//! At a rate, every request has a moment at which it should leave, and its latency counts from that moment: a server
//! that stalls can't hide it by keeping the generator waiting (coordinated omission). Flat out, each connection sends
//! its next request when the last one is answered. The result is one line of JSON.

mod amount;
pub mod bookings;
pub mod calls;
mod connection;
mod report;
pub mod webhooks;

pub use amount::Load;
