//! The HTTP API of the fake VAPI: the three requests that the client makes, in VAPI's format, and the control API.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::server::HangUp;
use super::vapi::FakeVapi;
use super::vapi_call::{CallScript, StartScript};
use super::vapi_list::ListFilter;
use super::vapi_schema::unknown_names;

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
        Err(problems) => return refused_for(StatusCode::BAD_REQUEST, &problems),
    };
    let script = vapi.take_script(&number);
    let (how, delay) = (script.start, Duration::from_millis(script.delay_ms));
    match how {
        StartScript::Refused => return refused(StatusCode::BAD_REQUEST, "property secret should not exist"),
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
        _ => (StatusCode::CREATED, Json(call.resource(&vapi.account))).into_response(),
    }
}

/// Returns the name, number and overrides of a valid request for a call.
///
/// # Errors
/// VAPI's error messages about an invalid request.
fn read_start(vapi: &FakeVapi, body: &[u8]) -> Result<(String, String, Value), Vec<String>> {
    let body: Value = serde_json::from_slice(body).map_err(|error| vec![error.to_string()])?;
    let mut problems = unknown_names(&body);
    let mut is = |good: bool, problem: &str| {
        if !good {
            problems.push(problem.to_owned());
        }
    };
    is(body["assistantId"] == vapi.account.assistant_id.as_str(), "there is no such assistant");
    is(body["phoneNumberId"] == vapi.account.phone_number_id.as_str(), "there is no such phone number");
    let number = body["customer"]["number"].as_str().unwrap_or_default();
    let digits = number.strip_prefix('+').unwrap_or_default();
    let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    is(is_number, &format!("customer.number must be a valid phone number in the E.164 format, not {number}"));
    let name = body["name"].as_str().unwrap_or_default();
    is(name.chars().count() <= NAME_CHARS_MAX, "name must be shorter than or equal to 40 characters");
    let server = &body["assistantOverrides"]["server"];
    let credential = &server["credentialId"];
    is(credential.is_null() || *credential == vapi.account.credential_id.as_str(), "there is no such credential");
    for (field, max) in [("maxRetries", 10), ("baseDelaySeconds", 10)] {
        let given = &server["backoffPlan"][field];
        let good = given.is_null() || given.as_u64().is_some_and(|given| given <= max);
        is(good, &format!("assistantOverrides.server.backoffPlan.{field} must not be greater than {max}"));
    }
    if problems.is_empty() {
        Ok((name.to_owned(), number.to_owned(), body["assistantOverrides"].clone()))
    } else {
        Err(problems)
    }
}

async fn show(State(vapi): State<Arc<FakeVapi>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !vapi.admit(|requests| requests.get += 1, authorization(&headers)) {
        return unauthorized();
    }
    match vapi.look(&id) {
        None => refused(StatusCode::NOT_FOUND, "there is no such call"),
        Some(Err(())) => refused(StatusCode::INTERNAL_SERVER_ERROR, "as told"),
        Some(Ok(call)) => Json(call.resource(&vapi.account)).into_response(),
    }
}

async fn list(State(vapi): State<Arc<FakeVapi>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if !vapi.admit(|requests| requests.list += 1, authorization(&headers)) {
        return unauthorized();
    }
    match ListFilter::parse(&query.unwrap_or_default()) {
        Ok(filter) => {
            Json(filter.of(&vapi).iter().map(|call| call.resource(&vapi.account)).collect::<Value>()).into_response()
        }
        Err(problems) => refused_for(StatusCode::BAD_REQUEST, &problems),
    }
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
    refused_for(status, &[message.to_owned()])
}

fn refused_for(status: StatusCode, messages: &[String]) -> Response {
    let body = json!({"message": messages, "error": status.canonical_reason(), "statusCode": status.as_u16()});
    (status, Json(body)).into_response()
}
