//! External services: webhook signatures, payloads, API clients, and simulators that speak real HTTP.
//!
//! Each service ([`stripe`], [`twilio`], [`vapi`]) has a module: `signature` verifies the sender of a webhook, payload
//! modules convert its body to a typed value, and `client` calls the API and classifies each failure by whether the
//! request may be sent again. [`json`] parses what they send, [`sms`] selects the service for texts, and [`simulator`]
//! replaces all of them in tests and the demo.
//!
//! **Invariant:** this crate knows nothing of databases, bookings or the queue. No error or log line contains a secret,
//! a phone number or the text of a message.

pub mod http;
pub mod json;
pub mod mac;
mod signature;
pub mod simulator;
pub mod sms;
pub mod stripe;
pub mod tls;
pub mod twilio;
pub mod vapi;

pub use http::{ClientError, Timeouts, http_client, http_client_with};
pub use signature::SignatureError;
