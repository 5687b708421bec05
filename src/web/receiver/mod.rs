//! Webhooks: proven, stored, answered. Nothing else is done here; a job acts on what was stored.
//!
//! Each provider's file reads its request and proves its signature over the raw bytes; [`verification`] decides what
//! that means; [`store`] puts the delivery, its audit entry and its job into one transaction, together with those of
//! other requests, and answers after the commit.

mod incoming;
mod refusals;
mod store;
mod stripe;
mod twilio_status;
mod vapi;
mod verification;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use nightshift_domain::inbox::Provider;
use nightshift_providers::SignatureError;

pub use incoming::Incoming;
pub use refusals::Refusals;
pub use store::Receiver;

use self::verification::Verdict;
use super::error::{ApiError, Result};
use super::limits;
use super::state::Web;

/// The addresses that providers deliver to.
pub fn routes(web: &Web) -> Router<Web> {
    let patience = web.settings.http.request_timeout;
    Router::new()
        .route("/api/webhooks/stripe", post(stripe::receive))
        .route("/api/twilio/status", post(twilio_status::receive))
        .route("/api/webhooks/vapi", post(vapi::receive))
        .route_layer(from_fn_with_state(patience, limits::in_time))
}

/// Whether a delivery counts as verified, or the answer that refuses it, which is then on record.
async fn verify(web: &Web, provider: Provider, incoming: &Incoming, proof: Result<(), SignatureError>) -> Result<bool> {
    match verification::decide(web.settings.webhooks.validation, &proof) {
        Verdict::Accept { verified } => Ok(verified),
        Verdict::Refuse { status, reason } => {
            count(provider, "refused");
            web.refusals.record(web, provider, &incoming.request_id, reason).await;
            Err(ApiError::new(status, "bad_signature", format!("The webhook's signature was refused: {reason}.")))
        }
    }
}

fn count(provider: Provider, verdict: &'static str) {
    metrics::counter!("nightshift_webhooks_received_total", "provider" => provider.as_str(), "verdict" => verdict)
        .increment(1);
}
