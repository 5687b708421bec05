//! The wire format of the fake Twilio: the parameters of a new message, a message and an error.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nightshift_providers::twilio::explain;
use serde_json::{Value, json};

use super::faults::FaultRule;
use super::ledger::StoredMessage;
use super::segments::segments;

/// Maximum number of characters of a text at Twilio.
const BODY_CHARS_MAX: usize = 1600;

/// The parameters of a new message that the simulator uses.
pub(super) struct SendForm {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) body: String,
    pub(super) status_callback: Option<String>,
    /// What the text is for.
    pub(super) intent: Option<String>,
    /// Whether the message is to be sent later. The simulator stores it and never sends it.
    pub(super) scheduled: bool,
}

/// Returns a parameter of a form, or `None` if it is missing or empty.
pub(super) fn parameter(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).filter(|v| !v.is_empty())
}

impl SendForm {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let refused = |code| ApiError::new(400, code);
        let form = Self {
            to: parameter(body, "To").ok_or(refused(21604))?,
            from: parameter(body, "From").ok_or(refused(21603))?,
            body: parameter(body, "Body").ok_or(refused(21602))?,
            status_callback: parameter(body, "StatusCallback"),
            intent: parameter(body, "MessageIntent"),
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

/// Returns whether the sender is a short code or an alphanumeric sender ID.
fn is_sender_name(sender: &str) -> bool {
    let short_code = (5..=6).contains(&sender.len()) && sender.bytes().all(|byte| byte.is_ascii_digit());
    let name = sender.len() <= 11
        && sender.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        && sender.bytes().any(|byte| byte.is_ascii_alphabetic());
    short_code || name
}

pub(super) fn authorization(headers: &HeaderMap) -> &[u8] {
    headers.get(header::AUTHORIZATION).map_or(&[], |value| value.as_bytes())
}

/// Returns a message in the format of the API.
pub(super) fn resource(account_sid: &str, message: &StoredMessage) -> Value {
    json!({
        "sid": message.sid,
        "account_sid": account_sid,
        "messaging_service_sid": null,
        "from": message.from,
        "to": message.to,
        "body": message.body,
        "status": message.status,
        "direction": message.direction,
        "num_segments": segments(&message.body).to_string(),
        "num_media": message.media.len().to_string(),
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

/// An error in the format of the API.
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
