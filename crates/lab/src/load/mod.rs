//! `nightshift load`: puts load on a server and measures how fast it answers. The result is one line of JSON.
//!
//! With a rate, every request has a time at which it should be sent, and its latency is measured from that time.
//! Otherwise a stalled server would delay the generator and so hide its own latency (coordinated omission). Without a
//! rate, each connection sends the next request when the previous one is answered.

mod amount;
pub mod bookings;
pub mod calls;
mod connection;
mod report;
pub mod texts;
pub mod webhooks;

pub use amount::Load;
