//! The simulator's own HTTP API for the fake OpenPhone, with which tests in other processes control it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::faults::FaultRule;
use super::openphone::FakeOpenPhone;
use super::openphone_account::OpenPhoneWebhook;

pub(super) fn router(openphone: Arc<FakeOpenPhone>) -> Router {
    Router::new()
        .route("/_control/openphone/faults", get(show_faults).post(add_faults).delete(clear_faults))
        .route("/_control/openphone/ledger", get(show_ledger).delete(clear_ledger))
        .route("/_control/openphone/webhook", get(show_webhook).post(set_webhook))
        .route("/_control/openphone/receive", post(receive))
        .with_state(openphone)
}

/// An inbound text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inbound {
    from: String,
    to: String,
    text: String,
    #[serde(default)]
    media: Vec<String>,
    /// Whether its webhook is delivered.
    #[serde(default = "reported")]
    reported: bool,
}

fn reported() -> bool {
    true
}

async fn show_faults(State(openphone): State<Arc<FakeOpenPhone>>) -> Json<Vec<FaultRule>> {
    Json(openphone.faults().left())
}

async fn add_faults(State(openphone): State<Arc<FakeOpenPhone>>, Json(rules): Json<Vec<FaultRule>>) -> StatusCode {
    openphone.faults().add(rules);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(openphone): State<Arc<FakeOpenPhone>>) -> StatusCode {
    openphone.faults().clear();
    StatusCode::NO_CONTENT
}

async fn show_ledger(State(openphone): State<Arc<FakeOpenPhone>>) -> impl IntoResponse {
    Json(openphone.ledger())
}

async fn clear_ledger(State(openphone): State<Arc<FakeOpenPhone>>) -> StatusCode {
    openphone.clear_ledger();
    StatusCode::NO_CONTENT
}

async fn show_webhook(State(openphone): State<Arc<FakeOpenPhone>>) -> Json<Option<OpenPhoneWebhook>> {
    Json(openphone.webhook())
}

async fn set_webhook(State(openphone): State<Arc<FakeOpenPhone>>, Json(webhook): Json<OpenPhoneWebhook>) -> StatusCode {
    openphone.deliver_to(webhook);
    StatusCode::NO_CONTENT
}

/// Answers with the ids of the text and its event, and with the status that the receiver answered.
async fn receive(State(openphone): State<Arc<FakeOpenPhone>>, Json(inbound): Json<Inbound>) -> Response {
    let media: Vec<_> = inbound.media.iter().map(String::as_str).collect();
    let event = openphone.receive_unreported(&inbound.from, &inbound.to, &inbound.text, &media);
    let told = |status: Option<u16>| json!({"id": event.message_id, "eventId": event.id, "status": status});
    if !inbound.reported {
        return Json(told(None)).into_response();
    }
    match openphone.deliver(&event).await {
        Ok(answer) => Json(told(Some(answer.status))).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
