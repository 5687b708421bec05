//! Twilio: sends texts, and reads inbound texts and status callbacks.

mod carrier;
pub mod client;
mod codes;
mod error;
mod lookup;
mod received;
pub mod signature;
mod status;
pub mod webhook;

pub use client::TwilioClient;
pub use codes::{explain, undelivered};
pub use status::MessageStatus;
pub use webhook::{StatusCallback, WebhookError, inbound_form, read_inbound};
