//! The HTTP API of the fake OpenPhone: the part that the client uses, in OpenPhone's format.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use nightshift_providers::json::{self, Fields};
use serde_json::{Value, json};

use super::faults::{Fault, FaultRule, Stage};
use super::half_a_body::half_a_body;
use super::openphone::{FakeOpenPhone, NewText, number_id};
use super::openphone_events::{Plan, follow};
use super::openphone_list::{Filter, Version, page};
use super::openphone_wire::{ApiError, resource};
use super::server::HangUp;

/// Maximum number of characters of a text.
const TEXT_CHARS_MAX: usize = 1600;

pub(super) fn router(openphone: Arc<FakeOpenPhone>) -> Router {
    Router::new()
        .route("/v1/messages", post(send).get(list))
        .route("/messages", get(list_workspace))
        .route("/v1/phone-numbers", get(numbers))
        .with_state(openphone)
}

fn authorization(headers: &HeaderMap) -> &[u8] {
    headers.get(header::AUTHORIZATION).map_or(&[], |value| value.as_bytes())
}

async fn send(
    State(openphone): State<Arc<FakeOpenPhone>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    openphone.change(|ledger| ledger.count().send += 1);
    openphone.admit(authorization(&headers))?;
    let asked = Asked::read(&body).ok_or(ApiError::new("0200400"))?;
    if !openphone.knows(&asked.from) {
        return Err(ApiError::new("0202403"));
    }
    let take = |stage| openphone.faults().take(stage, Some(&asked.to), Some(&asked.content));
    let fault = take(Stage::Answer);
    if let Some(rule) = &fault
        && let Some(refusal) = spoil_before_storing(rule).await
    {
        return Ok(refusal);
    }
    let plan = Plan::of(take(Stage::Callbacks).map(|rule| rule.fault));
    let shown_as = take(Stage::Body).map(|rule| rule.fault);
    let text = NewText { from: &asked.from, to: &asked.to, text: &asked.content, ..NewText::default() };
    let message = openphone.store(text, shown_as);
    follow(&openphone, &message, plan).await;
    let answer = json!({"data": resource(&message)});
    Ok(match fault {
        Some(rule) => spoil_after_storing(&rule, answer).await,
        None => (StatusCode::ACCEPTED, Json(answer)).into_response(),
    })
}

/// The parameters of a new message.
struct Asked {
    content: String,
    from: String,
    to: String,
}

impl Asked {
    /// Returns `None` if OpenPhone would find the request invalid.
    fn read(body: &[u8]) -> Option<Self> {
        let body = json::read(body).ok()?;
        let fields = Fields::of(&body);
        let content = fields.at("content")?.as_str()?.to_owned();
        let [to] = fields.list("to")? else { return None };
        let (from, to) = (fields.text("from")?, to.as_str()?.to_owned());
        let sendable = !content.trim().is_empty() && content.chars().count() <= TEXT_CHARS_MAX;
        (sendable && is_e164(&from) && is_e164(&to)).then_some(Self { content, from, to })
    }
}

fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the answer of a fault that prevents the message from being stored, or `None` for other faults.
async fn spoil_before_storing(rule: &FaultRule) -> Option<Response> {
    Some(match rule.fault {
        Fault::Refuse => ApiError::new(format!("{:07}", rule.code.unwrap_or(206_400))).into_response(),
        Fault::RefuseCredentials => ApiError::new("0200401").into_response(),
        Fault::RateLimit | Fault::QueueFull => ApiError::too_many(rule.retry_after).into_response(),
        Fault::ErrorBeforeStoring | Fault::UnavailableBeforeStoring => ApiError::new("0201500").into_response(),
        Fault::HangBeforeStoring => {
            tokio::time::sleep(rule.waits()).await;
            HangUp.into_response()
        }
        Fault::CloseBeforeStoring => HangUp.into_response(),
        _ => return None,
    })
}

/// Returns the answer of a fault that applies after the message is stored.
async fn spoil_after_storing(rule: &FaultRule, answer: Value) -> Response {
    match rule.fault {
        Fault::ErrorAfterStoring => ApiError::new("0201500").into_response(),
        Fault::TimeoutAfterStoring => {
            tokio::time::sleep(rule.waits()).await;
            HangUp.into_response()
        }
        Fault::CloseAfterStoring => HangUp.into_response(),
        Fault::GarbledAfterStoring => (StatusCode::ACCEPTED, "<html>Accepted</html>").into_response(),
        Fault::SlowBodyAfterStoring => (StatusCode::ACCEPTED, half_a_body(&answer, rule.waits())).into_response(),
        Fault::SlowAnswer => {
            tokio::time::sleep(rule.waits()).await;
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        _ => (StatusCode::ACCEPTED, Json(answer)).into_response(),
    }
}

async fn list(
    State(openphone): State<Arc<FakeOpenPhone>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let version = if headers.contains_key("quo-api-version") { Version::Workspace } else { Version::First };
    listed(&openphone, query.as_deref(), version, &headers)
}

async fn list_workspace(
    State(openphone): State<Arc<FakeOpenPhone>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !headers.contains_key("quo-api-version") {
        return Err(ApiError::new("0200400"));
    }
    listed(&openphone, query.as_deref(), Version::Workspace, &headers)
}

fn listed(
    openphone: &FakeOpenPhone,
    query: Option<&str>,
    version: Version,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    openphone.change(|ledger| ledger.count().list += 1);
    openphone.admit(authorization(headers))?;
    let filter = Filter::parse(query.unwrap_or_default(), version).ok_or(ApiError::new("0200400"))?;
    let fault = openphone.faults().take(Stage::List, filter.participant(), None);
    Ok(match fault {
        Some(rule) if rule.fault == Fault::ListError => return Err(ApiError::new("0201500")),
        Some(rule) if rule.fault == Fault::ListRateLimit => return Err(ApiError::too_many(rule.retry_after)),
        Some(_) => Json(json!({"data": [], "totalItems": 0, "nextPageToken": null})).into_response(),
        None => Json(page(openphone, &filter, version)).into_response(),
    })
}

async fn numbers(State(openphone): State<Arc<FakeOpenPhone>>, headers: HeaderMap) -> Result<Response, ApiError> {
    openphone.change(|ledger| ledger.count().numbers += 1);
    openphone.admit(authorization(&headers))?;
    let numbers: Vec<_> = openphone
        .numbers()
        .iter()
        .map(
            |number| json!({"id": number_id(number), "number": number, "formattedNumber": number, "name": "Simulated"}),
        )
        .collect();
    Ok(Json(json!({"data": numbers})).into_response())
}
