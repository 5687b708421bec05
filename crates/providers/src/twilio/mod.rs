//! Twilio: sends texts, and reads inbound texts and status callbacks.

pub mod client;
mod codes;
mod error;
mod likeness;
mod lookup;
mod received;
pub mod signature;
mod status;
pub mod webhook;

pub use client::{SendMessage, SentMessage, TwilioClient};
pub use codes::{Refusal, explain};
pub use error::{LookupError, SendError, UnclearCause};
pub use lookup::{Candidate, Lookup};
pub use status::MessageStatus;
pub use webhook::{StatusCallback, WebhookError, inbound_form, read_inbound};
