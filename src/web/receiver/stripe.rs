//! `POST /api/webhooks/stripe`

use axum::Json;
use axum::extract::State;
use nightshift_domain::inbox::{Delivery, Provider};
use nightshift_providers::stripe::{Event, EventError, signature};
use serde_json::{Value, json};

use super::{Incoming, count, verify};
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Takes an event, of whatever type and shape: 200 once it is stored, with whether it was there before.
pub async fn receive(State(web): State<Web>, incoming: Incoming) -> Result<Json<Value>> {
    incoming.expect_type("application/json")?;
    let proof = signature::verify(
        incoming.header(signature::HEADER),
        &incoming.body,
        &web.settings.webhooks.stripe_secrets,
        web.clock.now().to_datetime(),
    );
    let verified = verify(&web, Provider::Stripe, &incoming, proof.map(|_| ())).await?;
    let event = Event::parse(&incoming.body).map_err(not_an_event)?;
    let recorded = web
        .receiver
        .take(Delivery {
            provider: Provider::Stripe,
            event_key: incoming.event_key(event.id),
            event_type: event.kind,
            verified,
            headers: incoming.kept_headers(),
            payload: incoming.text(),
            request_id: incoming.request_id,
        })
        .await?;
    count(Provider::Stripe, if recorded.first { "accepted" } else { "duplicate" });
    Ok(Json(json!({"received": true, "duplicate": !recorded.first})))
}

fn not_an_event(error: EventError) -> ApiError {
    ApiError::bad_request("bad_body", format!("The body can't be read as a Stripe event: {error}."))
}
