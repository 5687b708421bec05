//! The fake Twilio's HTTP side: the part of the REST API that the client uses, in Twilio's shapes.
//!
//! Basic auth, form posts, RFC 2822 times, numbered errors. The list of messages is in [`super::twilio_list`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::callbacks::Plan;
use super::faults::{Fault, FaultRule, Stage};
use super::ledger::StoredMessage;
use super::segments::segments;
use super::server::HangUp;
use super::twilio::FakeTwilio;
use super::twilio_list::list;
use crate::twilio::{MessageStatus, explain};

/// Twilio's limit on a text, in characters.
const BODY_CHARS_MAX: usize = 1600;

pub(super) fn router(twilio: Arc<FakeTwilio>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", post(send).get(list))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}", get(show).post(update).delete(delete))
        .with_state(twilio)
}

/// The parameters of a send that are read.
pub(super) struct SendForm {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) body: String,
    pub(super) status_callback: Option<String>,
    /// To be sent at a later time; the simulator only keeps it.
    pub(super) scheduled: bool,
}

/// One parameter of a form, as long as it is not empty.
fn parameter(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).filter(|v| !v.is_empty())
}

impl SendForm {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let refused = |code| ApiError::new(400, code);
        let form = Self {
            to: parameter(body, "To").ok_or(refused(21604))?,
            from: parameter(body, "From").ok_or(refused(21603))?,
            body: parameter(body, "Body").ok_or(refused(21602))?,
            status_callback: parameter(body, "StatusCallback"),
            scheduled: parameter(body, "ScheduleType").is_some(),
        };
        if !is_e164(&form.to) {
            return Err(refused(21211));
        }
        if !is_e164(&form.from) && !is_sender_name(&form.from) {
            return Err(refused(21212));
        }
        if form.body.chars().count() > BODY_CHARS_MAX {
            return Err(refused(21617));
        }
        if form.scheduled && parameter(body, "MessagingServiceSid").is_none() {
            return Err(refused(35118));
        }
        Ok(form)
    }
}

fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Short codes, and names of letters and digits, send but get no answer.
fn is_sender_name(sender: &str) -> bool {
    let short_code = (5..=6).contains(&sender.len()) && sender.bytes().all(|byte| byte.is_ascii_digit());
    let name = sender.len() <= 11
        && sender.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        && sender.bytes().any(|byte| byte.is_ascii_alphabetic());
    short_code || name
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
    let plan =
        Plan::of(twilio.faults().take(Stage::Callbacks, Some(&form.to), Some(&form.body)).map(|rule| rule.fault));
    let shown_as = twilio.faults().take(Stage::Body, Some(&form.to), Some(&form.body)).map(|rule| rule.fault);
    let message = twilio.store(form, shown_as);
    if message.status != MessageStatus::Scheduled {
        twilio.call_back(&message, plan).await;
    }
    let answer = resource(&twilio.account.account_sid, &message);
    Ok(match fault {
        Some(rule) => spoil_after_storing(&rule, answer).await,
        None => (StatusCode::CREATED, Json(answer)).into_response(),
    })
}

/// The answer of a fault that keeps the message from being stored.
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

/// What becomes of the answer when the message is stored already.
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

/// The first half at once; after a silence the connection breaks.
fn half_a_body(answer: &Value, silence: Duration) -> Body {
    let mut text = answer.to_string();
    text.truncate(text.len() / 2);
    let first = futures_util::stream::iter([Ok(text)]);
    let rest = futures_util::stream::once(async move {
        tokio::time::sleep(silence).await;
        Err(HangUp)
    });
    Body::from_stream(futures_util::StreamExt::chain(first, rest))
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

/// A deleted message is not there for anybody who asks.
fn shown(message: Option<&StoredMessage>) -> Option<&StoredMessage> {
    message.filter(|message| !message.deleted)
}

/// Cancels a scheduled message (`Status=canceled`), or takes the text out of one that has ended (`Body=`).
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

/// Takes a message that has ended out of the lists; in the ledger it stays, for it went out.
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

pub(super) fn authorization(headers: &HeaderMap) -> &[u8] {
    headers.get(header::AUTHORIZATION).map_or(&[], |value| value.as_bytes())
}

/// A message in the API's shape.
pub(super) fn resource(account_sid: &str, message: &StoredMessage) -> Value {
    json!({
        "sid": message.sid,
        "account_sid": account_sid,
        "messaging_service_sid": null,
        "from": message.from,
        "to": message.to,
        "body": message.body,
        "status": message.status,
        "direction": "outbound-api",
        "num_segments": segments(&message.body).to_string(),
        "num_media": "0",
        "error_code": message.error_code,
        "error_message": message.error_code.map(explain),
        "date_created": message.at.to_rfc2822(),
        "date_updated": message.sent_at.unwrap_or(message.at).to_rfc2822(),
        "date_sent": message.sent_at.map(|at| at.to_rfc2822()),
        "price": null,
        "price_unit": "USD",
        "api_version": "2010-04-01",
        "uri": format!("/2010-04-01/Accounts/{account_sid}/Messages/{}.json", message.sid),
        "subresource_uris": {
            "media": format!("/2010-04-01/Accounts/{account_sid}/Messages/{}/Media.json", message.sid),
        },
    })
}

/// An error in the API's shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApiError {
    http_status: u16,
    code: u32,
    retry_after: Option<u64>,
}

impl ApiError {
    pub(super) fn new(http_status: u16, code: u32) -> Self {
        Self { http_status, code, retry_after: None }
    }

    pub(super) fn retry_after(self, rule: &FaultRule) -> Self {
        Self { retry_after: rule.retry_after, ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({
            "code": self.code,
            "message": explain(self.code),
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.http_status,
        });
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
