//! The fake VAPI's HTTP side: the three requests that the client makes, in VAPI's shapes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::server::HangUp;
use super::vapi::{CallScript, FakeVapi, StartScript};

/// What a start may hold; VAPI refuses anything else.
const FIELDS: [&str; 5] = ["assistantId", "phoneNumberId", "customer", "name", "assistantOverrides"];
const NAME_CHARS_MAX: usize = 40;

pub(super) fn router(vapi: Arc<FakeVapi>) -> Router {
    Router::new()
        .route("/call", post(start).get(list))
        .route("/call/{id}", get(show))
        .route("/_control/vapi/scripts", post(add_scripts).delete(clear_scripts))
        .route("/_control/vapi/calls", get(show_calls))
        .with_state(vapi)
}

async fn start(State(vapi): State<Arc<FakeVapi>>, headers: HeaderMap, body: Bytes) -> Response {
    if !vapi.admit(|requests| requests.start += 1, authorization(&headers)) {
        return unauthorized();
    }
    let (name, number, overrides) = match read_start(&vapi, &body) {
        Ok(read) => read,
        Err(problem) => return refused(StatusCode::BAD_REQUEST, &problem),
    };
    let script = vapi.take_script(&number);
    let (how, delay) = (script.start, Duration::from_millis(script.delay_ms));
    match how {
        StartScript::Refused => return refused(StatusCode::BAD_REQUEST, "as told"),
        StartScript::RateLimited => {
            return ([(header::RETRY_AFTER, "1")], refused(StatusCode::TOO_MANY_REQUESTS, "as told")).into_response();
        }
        StartScript::ErrorBefore => return refused(StatusCode::INTERNAL_SERVER_ERROR, "as told"),
        StartScript::HangBefore => {
            tokio::time::sleep(delay).await;
            return HangUp.into_response();
        }
        _ => {}
    }
    let call = vapi.place(name, number, overrides, script);
    match how {
        StartScript::ErrorAfter => refused(StatusCode::INTERNAL_SERVER_ERROR, "as told"),
        StartScript::HangAfter => {
            tokio::time::sleep(delay).await;
            HangUp.into_response()
        }
        StartScript::CloseAfter => HangUp.into_response(),
        _ => (StatusCode::CREATED, Json(call.resource())).into_response(),
    }
}

/// Name, number and overrides of a well-formed start.
fn read_start(vapi: &FakeVapi, body: &[u8]) -> Result<(String, String, Value), String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let fields = body.as_object().ok_or("no object")?;
    if let Some(unknown) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        return Err(format!("property {unknown} should not exist"));
    }
    if body["assistantId"] != vapi.account.assistant_id.as_str() {
        return Err("there is no such assistant".to_owned());
    }
    if body["phoneNumberId"] != vapi.account.phone_number_id.as_str() {
        return Err("there is no such phone number".to_owned());
    }
    let number = body["customer"]["number"].as_str().unwrap_or_default();
    let digits = number.strip_prefix('+').unwrap_or_default();
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("customer.number must be a valid phone number in the E.164 format".to_owned());
    }
    let name = body["name"].as_str().unwrap_or_default();
    if name.chars().count() > NAME_CHARS_MAX {
        return Err("name must be shorter than or equal to 40 characters".to_owned());
    }
    Ok((name.to_owned(), number.to_owned(), body["assistantOverrides"].clone()))
}

async fn show(State(vapi): State<Arc<FakeVapi>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !vapi.admit(|requests| requests.get += 1, authorization(&headers)) {
        return unauthorized();
    }
    match vapi.look(&id) {
        None => refused(StatusCode::NOT_FOUND, "there is no such call"),
        Some(Err(())) => refused(StatusCode::INTERNAL_SERVER_ERROR, "as told"),
        Some(Ok(call)) => Json(call.resource()).into_response(),
    }
}

async fn list(State(vapi): State<Arc<FakeVapi>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if !vapi.admit(|requests| requests.list += 1, authorization(&headers)) {
        return unauthorized();
    }
    let (mut since, mut limit) = (DateTime::<Utc>::MIN_UTC, 100);
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "createdAtGe" => match DateTime::parse_from_rfc3339(&value) {
                Ok(at) => since = at.to_utc(),
                Err(_) => return refused(StatusCode::BAD_REQUEST, "createdAtGe must be a date"),
            },
            "limit" => limit = value.parse().unwrap_or(100).clamp(1, 1000),
            _ => {}
        }
    }
    let calls: Vec<Value> = vapi.since(since, limit).iter().map(super::vapi::PlacedCall::resource).collect();
    Json(calls).into_response()
}

async fn add_scripts(State(vapi): State<Arc<FakeVapi>>, Json(scripts): Json<Vec<CallScript>>) -> StatusCode {
    scripts.into_iter().for_each(|script| vapi.script(script));
    StatusCode::NO_CONTENT
}

async fn clear_scripts(State(vapi): State<Arc<FakeVapi>>) -> StatusCode {
    vapi.clear_scripts();
    StatusCode::NO_CONTENT
}

async fn show_calls(State(vapi): State<Arc<FakeVapi>>) -> Json<Value> {
    Json(json!({"calls": vapi.calls(), "requests": vapi.requests()}))
}

fn authorization(headers: &HeaderMap) -> &[u8] {
    headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default()
}

fn unauthorized() -> Response {
    refused(
        StatusCode::UNAUTHORIZED,
        "Invalid Key. Hot tip, you may be using the public key instead of the private key.",
    )
}

fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({"message": [message], "error": status.canonical_reason(), "statusCode": status.as_u16()});
    (status, Json(body)).into_response()
}
