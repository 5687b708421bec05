//! VAPI: starts AI phone calls, polls them until they end, and reads the webhooks that report on them.
//!
//! The worst possible error is to call somebody twice. VAPI has no idempotency keys, so [`StartError`] says for every
//! failure whether a phone may be ringing, and [`VapiClient::find`] looks a call up by our name for it.

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
