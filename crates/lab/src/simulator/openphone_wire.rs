//! The wire format of the fake OpenPhone: messages, events of all three shapes, and errors.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::openphone_account::OpenPhoneShape;
use super::openphone_ledger::OpenPhoneMessage;

/// The user who owns every number.
const USER_ID: &str = "USsimulated";

/// Returns a message in the format of the API.
pub(super) fn resource(message: &OpenPhoneMessage) -> Value {
    json!({
        "id": message.id,
        "to": [message.to],
        "from": message.from,
        "text": message.text,
        "phoneNumberId": message.phone_number_id,
        "conversationId": conversation_id(message),
        "direction": direction(message),
        "userId": USER_ID,
        "status": message.status,
        "media": media(message),
        "createdAt": time(message.created_at),
        "updatedAt": time(message.created_at),
    })
}

/// Returns an event about a message, such as `message.received`, in one of the shapes.
pub(super) fn event(
    shape: OpenPhoneShape,
    id: &str,
    kind: &str,
    message: &OpenPhoneMessage,
    at: DateTime<Utc>,
) -> Value {
    let legacy = |version: &str, object: Value| {
        json!({"id": id, "object": "event", "apiVersion": version, "createdAt": time(at), "type": kind,
               "data": {"object": object}})
    };
    match shape {
        OpenPhoneShape::LegacyApp => legacy(
            "v2",
            json!({
                "id": message.id, "object": "message", "from": message.from, "to": message.to,
                "direction": direction(message), "body": message.text, "media": media(message),
                "status": message.status, "createdAt": time(message.created_at), "userId": USER_ID,
                "phoneNumberId": message.phone_number_id, "conversationId": conversation_id(message),
            }),
        ),
        OpenPhoneShape::LegacyApi => legacy(
            "v4",
            json!({
                "id": message.id, "object": "message", "from": message.from, "to": [message.to],
                "direction": direction(message), "text": message.text, "status": message.status,
                "createdAt": time(message.created_at), "userId": USER_ID,
                "phoneNumberId": message.phone_number_id, "contactIds": [],
            }),
        ),
        OpenPhoneShape::Current => json!({
            "id": id, "apiVersion": "2026-03-30", "createdAt": time(at), "type": kind,
            "data": {
                "resource": {
                    "id": message.id, "text": message.text, "direction": direction(message),
                    "status": message.status, "media": media(message), "createdAt": time(message.created_at),
                    "updatedAt": time(at),
                },
                "context": {
                    "orgId": "ORsimulated", "phoneNumberId": message.phone_number_id,
                    "conversationId": conversation_id(message), "senderIdentifier": message.from,
                    "recipientIdentifiers": [message.to], "contacts": {"lookupStatus": "none"},
                    "participants": {"resolution": "available"},
                },
                "links": {
                    "quo": format!("https://my.quo.com/inbox/{}/c/{}", message.phone_number_id, conversation_id(message)),
                },
            },
        }),
    }
}

fn direction(message: &OpenPhoneMessage) -> &'static str {
    if message.incoming { "incoming" } else { "outgoing" }
}

fn conversation_id(message: &OpenPhoneMessage) -> String {
    let other = if message.incoming { &message.from } else { &message.to };
    let digits = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    format!("CN{}{}", digits(&message.phone_number_id), digits(other))
}

fn media(message: &OpenPhoneMessage) -> Vec<Value> {
    message.media.iter().map(|url| json!({"url": url, "type": "image/jpeg"})).collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An error in the format of the API. The last three digits of its code are the HTTP status.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    code: String,
    retry_after: Option<u64>,
}

impl ApiError {
    pub(super) fn new(code: impl Into<String>) -> Self {
        Self { code: code.into(), retry_after: None }
    }

    pub(super) fn too_many(retry_after: Option<u64>) -> Self {
        Self { code: "0200429".to_owned(), retry_after }
    }

    fn title(&self) -> &'static str {
        match self.code.as_str() {
            "0206400" => "A2P Registration Not Approved",
            "0200401" => "Unauthorized",
            "0201402" => "Subscription Expired",
            "0202403" => "Not Phone Number User",
            "0200404" => "Not Found",
            "0200429" => "Too Many Requests",
            code if code.ends_with("400") => "Bad Request",
            _ => "Unknown",
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let digits = self.code.len().saturating_sub(3);
        let status = self.code.get(digits..).and_then(|status| status.parse().ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let title = self.title();
        let body = json!({
            "message": title,
            "code": self.code,
            "status": status.as_u16(),
            "docs": "https://quo.com/docs",
            "title": title,
            "trace": "0000000000000000001",
        });
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
