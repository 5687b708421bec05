//! The outside services: signatures, payloads and clients.
//!
//! One module per service ([`stripe`], [`twilio`], [`vapi`]), each with the same parts: `signature` proves who sent a webhook,
//! the payload module turns its body into a typed fact, `client` speaks to the service's API and says of every failure
//! what it means for sending again. [`json`] reads whatever they send. [`sms`] picks the service that texts go through.
//!
//! **Invariant:** nothing here knows of databases, bookings or the queue, and no error or log line holds a secret, a
//! phone number or the text of a message.

pub mod http;
pub mod json;
mod mac;
mod signature;
pub mod sms;
pub mod stripe;
pub mod tls;
pub mod twilio;
pub mod vapi;

pub use http::{ClientError, Timeouts, http_client, http_client_with};
pub use signature::SignatureError;
