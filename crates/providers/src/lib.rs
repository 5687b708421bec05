//! External services: webhook signatures, payloads and API clients.
//!
//! Each service ([`stripe`], [`twilio`], [`openphone`], [`vapi`]) has a module: `signature` verifies the sender of a
//! webhook, payload modules convert its body to a typed value, and `client` calls the API and classifies each failure by
//! whether the request may be sent again. [`json`] parses what they send, and [`sms`] is what all carriers of texts have
//! in common.
//!
//! **Invariant:** this crate knows nothing of databases, bookings or the queue. No error or log line contains a secret,
//! a phone number or the text of a message.

pub mod http;
pub mod inbound;
pub mod json;
pub mod mac;
pub mod openphone;
mod signature;
pub mod sms;
pub mod stripe;
pub mod tls;
pub mod twilio;
pub mod vapi;

pub use http::{ClientError, REQUEST_MAX, Timeouts, http_client, http_client_with};
pub use signature::SignatureError;
