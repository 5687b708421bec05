//! The pictures of texts from people: Twilio's list of a message's media, and their bytes.
//!
//! The list needs credentials. The bytes do not, as with a Twilio account that does not ask for them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::ledger::{Content, StoredMedia, StoredMessage};
use super::twilio::FakeTwilio;
use super::twilio_wire::{ApiError, authorization};

pub(super) fn router(twilio: Arc<FakeTwilio>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages/{sid}/Media.json", get(list))
        .route("/2010-04-01/Accounts/{account}/Messages/{sid}/Media/{file}", get(show))
        .with_state(twilio)
}

async fn list(
    State(twilio): State<Arc<FakeTwilio>>,
    Path((account, sid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let _slot = twilio.admit(&account, authorization(&headers))?;
    let message = message(&twilio, &sid)?;
    let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}/Media.json?PageSize=50&Page=0");
    Ok(Json(json!({
        "media_list": message.media.iter().map(|media| resource(&account, &message, media)).collect::<Vec<_>>(),
        "page": 0,
        "page_size": 50,
        "start": 0,
        "end": message.media.len().saturating_sub(1),
        "uri": uri,
        "first_page_uri": uri,
        "previous_page_uri": null,
        "next_page_uri": null,
    })))
}

/// Answers with the bytes, or with the description of the picture if the name ends with `.json`.
async fn show(
    State(twilio): State<Arc<FakeTwilio>>,
    Path((account, sid, file)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let message = message(&twilio, &sid)?;
    let name = file.strip_suffix(".json").unwrap_or(&file);
    let media = message.media.iter().find(|media| media.sid == name).ok_or(ApiError::new(404, 20404))?;
    if name != file {
        let _slot = twilio.admit(&account, authorization(&headers))?;
        return Ok(Json(resource(&account, &message, media)).into_response());
    }
    Ok(match &media.content {
        Content::Here(bytes) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, media.content_type.clone())], bytes.clone()).into_response()
        }
        Content::Elsewhere(url) => Redirect::temporary(url).into_response(),
    })
}

fn message(twilio: &FakeTwilio, sid: &str) -> Result<StoredMessage, ApiError> {
    twilio
        .read(|ledger| ledger.message(sid).filter(|message| !message.deleted).cloned())
        .ok_or(ApiError::new(404, 20404))
}

fn resource(account: &str, message: &StoredMessage, media: &StoredMedia) -> Value {
    json!({
        "sid": media.sid,
        "account_sid": account,
        "parent_sid": message.sid,
        "content_type": media.content_type,
        "date_created": message.at.to_rfc2822(),
        "date_updated": message.at.to_rfc2822(),
        "uri": format!("/2010-04-01/Accounts/{account}/Messages/{}/Media/{}.json", message.sid, media.sid),
    })
}
