//! Webhooks: proven, stored, answered. Nothing else is done here; a job acts on what was stored.
//!
//! [`receive`] is the way of every delivery. What differs between providers is a [`Source`], one file each: how the
//! signature is checked, what the body says, the answer. [`verification`] decides what a signature means; [`store`] puts
//! the delivery, its audit entry and its job into one transaction, together with those of other requests, and answers
//! after the commit.

mod incoming;
mod job_for;
mod refusals;
mod source;
mod store;
mod stripe;
mod twilio;
mod twilio_status;
mod vapi;
mod verification;

use axum::extract::State;
use axum::http::StatusCode;
use nightshift_domain::inbox::{Delivery, WebhookSource};

pub use incoming::Incoming;
pub use job_for::JobFor;
pub use refusals::Refusals;
pub use source::{Read, Source, unreadable};
pub use store::Receiver;

use self::store::Accepted;
use self::verification::Verdict;
use super::auth::Access;
use super::error::{ApiError, Result};
use super::routes::{Area, Kind, Route};
use super::state::Web;

/// The addresses that providers deliver to.
pub(super) fn routes() -> Vec<Route> {
    vec![
        webhook::<stripe::Stripe>("/api/webhooks/stripe", "Take an event of Stripe's"),
        webhook::<twilio_status::TwilioStatus>("/api/twilio/status", "Take a report of what became of a text"),
        webhook::<vapi::Vapi>("/api/webhooks/vapi", "Take a report about a call"),
    ]
}

/// The row of a source.
fn webhook<S: Source>(path: &'static str, summary: &'static str) -> Route {
    const WEBHOOKS: Area = Area::of(Kind::Webhook, "Webhooks");
    let unreadable = match S::MEDIA_TYPE {
        "application/json" => {
            "The body is no JSON object. Where signatures are not required, a wrong one is refused so."
        }
        _ => "Where signatures are not required, a wrong one is refused so.",
    };
    let mut route = WEBHOOKS
        .post(path, Access::ANYBODY, summary, receive::<S>)
        .text("Answers once it is stored, whatever it says. A repeat of an event is stored once.")
        .proofs(S::PROOFS)
        .error(StatusCode::BAD_REQUEST, unreadable)
        .error(StatusCode::UNAUTHORIZED, "The signature is missing or wrong.");
    route.doc.contract.foreign_body(S::MEDIA_TYPE);
    route
}

/// Takes a delivery of the source `S`: checks it, stores it, answers.
async fn receive<S: Source>(State(web): State<Web>, incoming: Incoming) -> Result<S::Answer> {
    incoming.expect_type(S::MEDIA_TYPE)?;
    let verified = verify::<S>(&web, &incoming).await?;
    let Read { source, event_key, event_type, job } = S::read(&incoming)?;
    let delivery = Delivery {
        provider: S::SOURCE,
        event_key: incoming.event_key(event_key),
        event_type,
        verified,
        headers: incoming.kept_headers(),
        payload: incoming.text(),
        request_id: incoming.request_id,
    };
    let recorded = web.receiver.take(Accepted { delivery, job }).await?;
    count(S::SOURCE, if recorded.first { "accepted" } else { "duplicate" });
    source.answer(&web, &recorded).await
}

/// Whether a delivery counts as verified, or the answer that refuses it, which is then on record.
async fn verify<S: Source>(web: &Web, incoming: &Incoming) -> Result<bool> {
    match verification::decide(web.settings.webhooks.validation, &S::verify(web, incoming)) {
        Verdict::Accept { verified } => Ok(verified),
        Verdict::Refuse { status, reason } => {
            count(S::SOURCE, "refused");
            web.refusals.record(&web.db, S::SOURCE, &incoming.request_id, reason, web.clock.now()).await;
            Err(ApiError::new(status, "bad_signature", format!("The webhook's signature was refused: {reason}.")))
        }
    }
}

fn count(provider: WebhookSource, verdict: &'static str) {
    metrics::counter!("nightshift_webhooks_received_total", "provider" => provider.as_str(), "verdict" => verdict)
        .increment(1);
}
