//! Receives webhooks: verifies, stores and answers them. All other work is done by the job that is stored with them.
//!
//! [`receive`] handles every delivery. The differences between providers are in a [`Source`], one file each: checking
//! the signature, reading the body, the response. [`verification`] decides what the result of the check means.
//! [`store`] writes the delivery and its job in one transaction, together with those of concurrent requests, and answers
//! after the commit.

mod incoming;
mod job_for;
mod openphone;
mod refusals;
mod reply;
mod secrets;
mod sid;
mod source;
mod store;
mod stripe;
mod taken;
mod twilio;
mod twilio_inbound;
mod twilio_status;
mod vapi;
mod verification;

use axum::extract::State;
use axum::http::StatusCode;
use nightshift_db::failpoint;
use nightshift_domain::inbox::{Delivery, WebhookSource};

pub use incoming::Incoming;
pub use job_for::JobFor;
pub use refusals::Refusals;
pub use reply::replies_awaited_max;
pub use secrets::Secrets;
pub use source::{Read, Source, unreadable};
pub use store::{Accepted, Receiver};

use self::verification::{PREVIOUS_SECRET, Verdict};
use super::auth::Access;
use super::error::{ApiError, Result};
use super::routes::{Area, Kind, Route};
use super::state::Web;

/// Returns the routes to which providers deliver.
pub(super) fn routes() -> Vec<Route> {
    vec![
        webhook::<stripe::Stripe>("/api/webhooks/stripe", "Receive a Stripe event"),
        webhook::<openphone::OpenPhone>("/api/webhooks/sms", "Receive a text or a delivery update from OpenPhone"),
        webhook::<twilio_inbound::TwilioInbound>("/api/twilio/inbound", "Receive a text from Twilio"),
        webhook::<twilio_status::TwilioStatus>("/api/twilio/status", "Receive the delivery status of a text"),
        webhook::<vapi::Vapi>("/api/webhooks/vapi", "Receive a report about a call"),
    ]
}

/// Returns the route of one source.
fn webhook<S: Source>(path: &'static str, summary: &'static str) -> Route {
    const WEBHOOKS: Area = Area::of(Kind::Webhook, "Webhooks");
    let unreadable = match S::MEDIA_TYPE {
        "application/json" => "The body is not a JSON object; or signatures are optional and the given one is wrong.",
        _ => "Signatures are optional and the given one is wrong.",
    };
    let mut route = WEBHOOKS
        .post(path, Access::ANYBODY, summary, receive::<S>)
        .text("Answers once the event is stored, whatever it contains. A duplicate is not stored again.")
        .proofs(S::PROOFS)
        .error(StatusCode::BAD_REQUEST, unreadable)
        .error(StatusCode::UNAUTHORIZED, "The signature is missing or wrong.");
    if let Some(invalid) = S::INVALID {
        route = route.error(StatusCode::UNPROCESSABLE_ENTITY, invalid);
    }
    route.doc.contract.foreign_body(S::MEDIA_TYPE);
    route
}

/// Handles a delivery of the source `S`: checks it, stores it, answers.
async fn receive<S: Source>(State(web): State<Web>, incoming: Incoming) -> Result<S::Answer> {
    if let Err(unsupported) = incoming.expect_type(S::MEDIA_TYPE) {
        incoming.charge(&web)?;
        return Err(unsupported);
    }
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
        arrived: incoming.arrived,
    };
    // Each source has a fail point of its name.
    failpoint::hit(S::SOURCE.as_str()).await?;
    let recorded = web.receiver.take(Accepted { delivery, job }).await?;
    count(S::SOURCE, if recorded.first { "accepted" } else { "duplicate" });
    source.answer(&web, &recorded).await
}

/// Returns whether the delivery counts as verified. A refused delivery is recorded and returned as the error.
async fn verify<S: Source>(web: &Web, incoming: &Incoming) -> Result<bool> {
    let proof = S::verify(web, &Secrets::in_use(&web.settings), incoming);
    if proof.is_err() {
        incoming.charge(web)?;
    }
    match verification::decide(web.settings.webhooks.validation, &proof) {
        Verdict::Accept { verified } => Ok(verified),
        Verdict::Refuse { status, reason } => {
            count(S::SOURCE, "refused");
            let retired = || S::verify(web, &Secrets::retired(&web.settings), incoming);
            let by_previous = proof.is_err_and(|refused| verification::is_by_previous_secret(refused, retired));
            // Only the operator learns of a previous secret, not the sender.
            let noted = if by_previous { PREVIOUS_SECRET } else { reason };
            web.refusals.record(&web.db, S::SOURCE, &incoming.request_id, noted, web.clock.now()).await;
            Err(ApiError::new(status, "bad_signature", format!("The webhook's signature was refused: {reason}.")))
        }
    }
}

fn count(provider: WebhookSource, verdict: &'static str) {
    metrics::counter!("nightshift_webhooks_received_total", "provider" => provider.as_str(), "verdict" => verdict)
        .increment(1);
}
