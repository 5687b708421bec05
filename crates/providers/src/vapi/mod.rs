//! VAPI: AI phone calls that are started, looked at until they end, and reported by webhook.
//!
//! A call that rings twice is the worst that can happen here. VAPI knows no idempotency key, so [`StartError`] says of
//! every failure whether a phone may be ringing, and [`VapiClient::find`] looks a call up by what we named it.

mod call;
pub mod client;
mod error;
mod findings;
mod refusal;
pub mod signature;
mod webhook;

pub use call::{Call, Progress};
pub use client::{Lookup, StartCall, StartedCall, VapiClient, Webhook, WebhookProof};
pub use error::{AskError, StartError};
pub use findings::{CallOutcome, Confirmation};
pub use webhook::{Report, ReportError};
