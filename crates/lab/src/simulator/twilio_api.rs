//! The HTTP API of the fake Twilio: the part of the REST API that the client uses, in Twilio's format.
//!
//! It uses basic authentication, form posts, RFC 2822 times and numbered errors. The list of messages is in
//! [`super::twilio_list`].

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use nightshift_providers::twilio::MessageStatus;
use serde_json::Value;

use super::callbacks::{self, Plan};
use super::faults::{Fault, FaultRule, Stage};
use super::half_a_body::half_a_body;
use super::ledger::StoredMessage;
use super::server::HangUp;
use super::twilio::FakeTwilio;
use super::twilio_list::list;
use super::twilio_wire::{ApiError, SendForm, authorization, parameter, resource};

pub(super) fn router(twilio: Arc<FakeTwilio>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", post(send).get(list))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}", get(show).post(update).delete(delete))
        .with_state(twilio)
}

async fn send(
    State(twilio): State<Arc<FakeTwilio>>,
    Path(account_sid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    twilio.change(|ledger| ledger.count().send += 1);
    let _slot = twilio.admit(&account_sid, authorization(&headers))?;
    let form = SendForm::parse(&body)?;
    let fault = twilio.faults().take(Stage::Answer, Some(&form.to), Some(&form.body));
    if let Some(rule) = &fault
        && let Some(refusal) = spoil_before_storing(rule).await
    {
        return Ok(refusal);
    }
    if twilio.read(|ledger| ledger.blocks(&form.from, &form.to)) {
        return Ok(ApiError::new(400, 21610).into_response());
    }
    let plan = Plan::of(twilio.faults().take(Stage::Callbacks, Some(&form.to), Some(&form.body)).as_ref());
    let shown_as = twilio.faults().take(Stage::Body, Some(&form.to), Some(&form.body)).map(|rule| rule.fault);
    let message = twilio.store(form, shown_as);
    if message.status != MessageStatus::Scheduled {
        callbacks::call_back(&twilio, &message, plan).await;
    }
    let answer = resource(&twilio.account.account_sid, &message);
    Ok(match fault {
        Some(rule) => spoil_after_storing(&rule, answer).await,
        None => (StatusCode::CREATED, Json(answer)).into_response(),
    })
}

/// Returns the answer of a fault that prevents the message from being stored, or `None` for other faults.
async fn spoil_before_storing(rule: &FaultRule) -> Option<Response> {
    Some(match rule.fault {
        Fault::Refuse => ApiError::new(400, rule.code.unwrap_or(21211)).into_response(),
        Fault::RefuseOptedOut => ApiError::new(400, 21610).into_response(),
        Fault::RefuseCredentials => ApiError::new(401, 20003).into_response(),
        Fault::QueueFull => ApiError::new(400, 21611).into_response(),
        Fault::RateLimit => ApiError::new(429, 20429).retry_after(rule).into_response(),
        Fault::ErrorBeforeStoring => ApiError::new(500, 20500).into_response(),
        Fault::UnavailableBeforeStoring => ApiError::new(503, 20503).retry_after(rule).into_response(),
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
        Fault::ErrorAfterStoring => ApiError::new(500, 20500).into_response(),
        Fault::TimeoutAfterStoring => {
            tokio::time::sleep(rule.waits()).await;
            HangUp.into_response()
        }
        Fault::CloseAfterStoring => HangUp.into_response(),
        Fault::GarbledAfterStoring => (StatusCode::CREATED, "<html>Created</html>").into_response(),
        Fault::SlowBodyAfterStoring => (StatusCode::CREATED, half_a_body(&answer, rule.waits())).into_response(),
        Fault::SlowAnswer => {
            tokio::time::sleep(rule.waits()).await;
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        _ => (StatusCode::CREATED, Json(answer)).into_response(),
    }
}

async fn show(
    State(twilio): State<Arc<FakeTwilio>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    twilio.change(|ledger| ledger.count().get += 1);
    let _slot = twilio.admit(&account_sid, authorization(&headers))?;
    let sid = file.strip_suffix(".json").unwrap_or(&file);
    let message = twilio.read(|ledger| shown(ledger.message(sid)).cloned()).ok_or(ApiError::new(404, 20404))?;
    Ok(Json(resource(&account_sid, &message)).into_response())
}

/// Returns the message unless it is deleted.
fn shown(message: Option<&StoredMessage>) -> Option<&StoredMessage> {
    message.filter(|message| !message.deleted)
}

/// Cancels a scheduled message (`Status=canceled`), or redacts a message with a final status (`Body=`).
async fn update(
    State(twilio): State<Arc<FakeTwilio>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let cancel = parameter(&body, "Status");
    let redact = form_urlencoded::parse(&body).any(|(name, value)| name == "Body" && value.is_empty());
    change(&twilio, &account_sid, &file, &headers, |message| match cancel.as_deref() {
        Some("canceled") if message.status == MessageStatus::Scheduled => {
            message.status = MessageStatus::Canceled;
            Ok(())
        }
        Some("canceled") => Err(ApiError::new(400, 30409)),
        None if redact && message.has_ended() => {
            message.body.clear();
            Ok(())
        }
        None if redact => Err(ApiError::new(400, 20009)),
        _ => Err(ApiError::new(400, 20001)),
    })
    .map(|message| Json(resource(&account_sid, &message)).into_response())
}

/// Deletes a message with a final status. It is no longer listed, but stays in the ledger, because it was sent.
async fn delete(
    State(twilio): State<Arc<FakeTwilio>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    change(&twilio, &account_sid, &file, &headers, |message| {
        message.deleted = message.has_ended();
        if message.deleted { Ok(()) } else { Err(ApiError::new(409, 20009)) }
    })
    .map(|_| StatusCode::NO_CONTENT)
}

fn change(
    twilio: &FakeTwilio,
    account_sid: &str,
    file: &str,
    headers: &HeaderMap,
    change: impl FnOnce(&mut StoredMessage) -> Result<(), ApiError>,
) -> Result<StoredMessage, ApiError> {
    let _slot = twilio.admit(account_sid, authorization(headers))?;
    let sid = file.strip_suffix(".json").unwrap_or(file);
    twilio.change(|ledger| {
        let message = ledger.message_mut(sid).filter(|message| !message.deleted).ok_or(ApiError::new(404, 20404))?;
        change(message)?;
        Ok(message.clone())
    })
}
