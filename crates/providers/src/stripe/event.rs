//! The envelope of a Stripe event.
//!
//! Read leniently: Stripe adds fields at will, older endpoints send older shapes, and a test delivery may hold nothing
//! but a type and an object. What an event means is told by [`Event::fact`].

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fact::StripeFact;

/// One event as delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `evt_...`; hand-made deliveries may lack it.
    pub id: Option<String>,
    /// Stripe's `type`, such as `payment_intent.succeeded`.
    pub kind: String,
    /// When Stripe made the event, which may be weeks before a resend.
    pub created: Option<DateTime<Utc>>,
    /// Whether real money moved.
    pub livemode: bool,
    /// `data.object`: what the event is about, as it stood then.
    pub object: Value,
}

/// The body is not an event, or an event that is acted on lacks what the action needs. Holds names only, no values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON at all.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// One-based.
        line: usize,
        /// One-based.
        column: usize,
    },
    /// JSON, but not an event that carries an object.
    #[error("not a Stripe event: {what}")]
    NotAnEvent {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A field that the action needs is absent or null.
    #[error("{kind} lacks {field}")]
    MissingField {
        /// The event's type.
        kind: &'static str,
        /// Path below `data.object`.
        field: &'static str,
    },
    /// A field holds another type than Stripe documents.
    #[error("{kind} has an unexpected value in {field}")]
    WrongType {
        /// The event's type.
        kind: &'static str,
        /// Path below `data.object`.
        field: &'static str,
    },
}

impl Event {
    /// Reads a request's raw body.
    ///
    /// # Errors
    /// [`EventError::NotJson`] or [`EventError::NotAnEvent`].
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let value: Value =
            serde_json::from_slice(body).map_err(|e| EventError::NotJson { line: e.line(), column: e.column() })?;
        Self::from_value(value)
    }

    /// Reads a body that was parsed already, for instance one that was stored.
    ///
    /// # Errors
    /// [`EventError::NotAnEvent`].
    pub fn from_value(value: Value) -> Result<Self, EventError> {
        let refused = |what| Err(EventError::NotAnEvent { what });
        let Value::Object(mut event) = value else { return refused("the body is not an object") };
        if event.get("object").and_then(Value::as_str).is_some_and(|object| object.starts_with("v2.")) {
            return refused("a thin event carries no object");
        }
        let kind = match event.remove("type") {
            Some(Value::String(kind)) if !kind.is_empty() => kind,
            _ => return refused("type is missing"),
        };
        let Some(Value::Object(mut data)) = event.remove("data") else { return refused("data is missing") };
        let Some(object @ Value::Object(_)) = data.remove("object") else { return refused("data.object is missing") };
        Ok(Self {
            id: event.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned),
            kind,
            created: event.get("created").and_then(Value::as_i64).and_then(|s| DateTime::from_timestamp(s, 0)),
            livemode: event.get("livemode").and_then(Value::as_bool).unwrap_or(false),
            object,
        })
    }

    /// What tells repeated deliveries of this event: its id, or where there is none the hash of `body` as delivered.
    #[must_use]
    pub fn key(&self, body: &[u8]) -> String {
        self.id.clone().unwrap_or_else(|| format!("sha256:{}", hex::encode(Sha256::digest(body))))
    }

    /// What happened, for the types that are acted on; [`StripeFact::Other`] for all else.
    ///
    /// # Errors
    /// [`EventError::MissingField`] or [`EventError::WrongType`] when a type that is acted on has not the documented
    /// shape. No retry cures that.
    pub fn fact(&self) -> Result<StripeFact, EventError> {
        StripeFact::read(&self.kind, &self.object)
    }
}
