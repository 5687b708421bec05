//! The fake Twilio's HTTP side: the part of the REST API that the client uses, in Twilio's shapes.
//!
//! Basic auth, form posts, RFC 2822 times, lists by day and page, numbered errors.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::callbacks::Plan;
use super::faults::{Fault, FaultRule, Stage};
use super::ledger::StoredMessage;
use super::server::HangUp;
use super::twilio::FakeTwilio;
use crate::twilio::explain;

/// Twilio's limit on a text, in characters.
const BODY_CHARS_MAX: usize = 1600;

pub(super) fn router(twilio: Arc<FakeTwilio>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", post(send).get(list))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}", get(show))
        .with_state(twilio)
}

/// The parameters of a send that are read.
pub(super) struct SendForm {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) body: String,
    pub(super) status_callback: Option<String>,
}

impl SendForm {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let refused = |code| ApiError::new(400, code);
        let take = |name: &str| {
            form_urlencoded::parse(body).find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).filter(|v| !v.is_empty())
        };
        let form = Self {
            to: take("To").ok_or(refused(21604))?,
            from: take("From").ok_or(refused(21603))?,
            body: take("Body").ok_or(refused(21602))?,
            status_callback: take("StatusCallback"),
        };
        if form.body.chars().count() > BODY_CHARS_MAX { Err(refused(21617)) } else { Ok(form) }
    }
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
    let message = twilio.store(form);
    twilio.call_back(&message, plan).await;
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

/// What a list is narrowed to.
struct Filter {
    to: Option<String>,
    from: Option<String>,
    sent_from: Option<NaiveDate>,
    page: usize,
    page_size: usize,
}

impl Filter {
    fn parse(query: &str) -> Option<Self> {
        let mut filter = Self { to: None, from: None, sent_from: None, page: 0, page_size: 50 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "To" => filter.to = Some(value.into_owned()),
                "From" => filter.from = Some(value.into_owned()),
                // Written `DateSent>=2026-11-20`: the first equals sign ends the name.
                "DateSent>" => filter.sent_from = Some(value.parse().ok()?),
                "Page" => filter.page = value.parse().ok()?,
                "PageSize" => filter.page_size = value.parse::<usize>().ok()?.clamp(1, 1000),
                _ => {}
            }
        }
        Some(filter)
    }

    fn lets_through(&self, message: &StoredMessage) -> bool {
        self.to.as_ref().is_none_or(|to| *to == message.to)
            && self.from.as_ref().is_none_or(|from| *from == message.from)
            && self.sent_from.is_none_or(|day| message.at.date_naive() >= day)
    }

    fn next_page_uri(&self, path: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(to) = &self.to {
            query.append_pair("To", to);
        }
        if let Some(from) = &self.from {
            query.append_pair("From", from);
        }
        if let Some(day) = self.sent_from {
            query.append_pair("DateSent>", &day.to_string());
        }
        query.append_pair("PageSize", &self.page_size.to_string()).append_pair("Page", &(self.page + 1).to_string());
        format!("{path}?{}", query.finish())
    }
}

async fn list(
    State(twilio): State<Arc<FakeTwilio>>,
    Path(account_sid): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    twilio.change(|ledger| ledger.count().list += 1);
    let _slot = twilio.admit(&account_sid, authorization(&headers))?;
    let filter = Filter::parse(&query.unwrap_or_default()).ok_or(ApiError::new(400, 20001))?;
    let fault = twilio.faults().take(Stage::List, filter.to.as_deref(), None);
    match &fault {
        Some(rule) if rule.fault == Fault::ListError => return Err(ApiError::new(500, 20500)),
        Some(rule) if rule.fault == Fault::ListRateLimit => {
            return Err(ApiError::new(429, 20429).retry_after(rule));
        }
        _ => {}
    }
    let lags = fault.is_some();
    let page_from = filter.page.saturating_mul(filter.page_size);
    let mut page: Vec<StoredMessage> = twilio.read(|ledger| {
        let listed = ledger.messages().iter().rev().filter(|message| !lags && filter.lets_through(message));
        listed.skip(page_from).take(filter.page_size + 1).cloned().collect()
    });
    let more = page.len() > filter.page_size;
    page.truncate(filter.page_size);
    let path = format!("/2010-04-01/Accounts/{account_sid}/Messages.json");
    Ok(Json(json!({
        "messages": page.iter().map(|message| resource(&account_sid, message)).collect::<Vec<_>>(),
        "page": filter.page,
        "page_size": filter.page_size,
        "next_page_uri": more.then(|| filter.next_page_uri(&path)),
    }))
    .into_response())
}

async fn show(
    State(twilio): State<Arc<FakeTwilio>>,
    Path((account_sid, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    twilio.change(|ledger| ledger.count().get += 1);
    let _slot = twilio.admit(&account_sid, authorization(&headers))?;
    let sid = file.strip_suffix(".json").unwrap_or(&file);
    let message = twilio.read(|ledger| ledger.message(sid).cloned()).ok_or(ApiError::new(404, 20404))?;
    Ok(Json(resource(&account_sid, &message)).into_response())
}

fn authorization(headers: &HeaderMap) -> &[u8] {
    headers.get(header::AUTHORIZATION).map_or(&[], |value| value.as_bytes())
}

/// A message in the API's shape.
fn resource(account_sid: &str, message: &StoredMessage) -> Value {
    json!({
        "sid": message.sid,
        "account_sid": account_sid,
        "messaging_service_sid": null,
        "from": message.from,
        "to": message.to,
        "body": message.body,
        "status": message.status,
        "direction": "outbound-api",
        "num_segments": "1",
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

    fn retry_after(self, rule: &FaultRule) -> Self {
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
