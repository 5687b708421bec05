//! `POST /api/webhooks/vapi`

use axum::Json;
use axum::extract::State;
use nightshift_domain::inbox::{Delivery, Provider};
use nightshift_providers::vapi::{Report, signature};
use serde_json::{Value, json};

use super::{Incoming, count, verify};
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Takes a report about a call: 200 once it is stored.
pub async fn receive(State(web): State<Web>, incoming: Incoming) -> Result<Json<Value>> {
    incoming.expect_type("application/json")?;
    let proof = signature::Proof {
        secret: incoming.header(signature::SECRET_HEADER),
        authorization: incoming.header("authorization"),
        signature: incoming.header(signature::SIGNATURE_HEADER),
        timestamp: incoming.header(signature::TIMESTAMP_HEADER),
    };
    let secrets = &web.settings.webhooks.vapi_secrets;
    let proof = signature::verify(proof, &incoming.body, secrets, web.clock.now().to_datetime());
    let verified = verify(&web, Provider::Vapi, &incoming, proof).await?;
    let report = Report::parse(&incoming.body).map_err(|error| {
        ApiError::bad_request("bad_body", format!("The body can't be read as a VAPI report: {error}."))
    })?;
    let recorded = web
        .receiver
        .take(Delivery {
            provider: Provider::Vapi,
            event_key: incoming.event_key(report.key()),
            event_type: report.kind,
            verified,
            headers: incoming.kept_headers(),
            payload: incoming.text(),
            request_id: incoming.request_id,
        })
        .await?;
    count(Provider::Vapi, if recorded.first { "accepted" } else { "duplicate" });
    Ok(Json(json!({"received": true})))
}
