//! `POST /api/twilio/status`

use axum::extract::State;
use axum::http::StatusCode;
use nightshift_domain::inbox::{Delivery, Provider};
use nightshift_providers::twilio::{StatusCallback, signature};

use super::{Incoming, count, verify};
use crate::web::error::Result;
use crate::web::state::Web;

/// Takes a report of what became of a text: 200 with an empty body once it is stored.
pub async fn receive(State(web): State<Web>, incoming: Incoming) -> Result<StatusCode> {
    incoming.expect_type("application/x-www-form-urlencoded")?;
    let keys = signature::Keys::auth_tokens(web.settings.twilio.auth_tokens.iter().cloned());
    // Twilio signs the address it was given, which is ours as the outside sees it.
    let url = format!("{}{}", web.public_url, incoming.uri.path_and_query().map_or("/", |tail| tail.as_str()));
    let proof = signature::verify(
        &keys,
        &signature::Signed {
            url: &url,
            body: &incoming.body,
            signature: incoming.header(signature::HEADER),
            settings: incoming.header(signature::SETTINGS_HEADER),
        },
    );
    let verified = verify(&web, Provider::TwilioStatus, &incoming, proof).await?;
    // One that can't be read is stored as well, and its job says why it is ignored: an error would bring it again.
    let report = StatusCallback::parse(&incoming.body).ok();
    let recorded = web
        .receiver
        .take(Delivery {
            provider: Provider::TwilioStatus,
            event_key: incoming.event_key(report.as_ref().map(StatusCallback::key)),
            event_type: report.map(|report| report.status.to_string()),
            verified,
            headers: incoming.kept_headers(),
            payload: incoming.text(),
            request_id: incoming.request_id,
        })
        .await?;
    count(Provider::TwilioStatus, if recorded.first { "accepted" } else { "duplicate" });
    Ok(StatusCode::OK)
}
