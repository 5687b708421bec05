//! The envelope of a Stripe event.
//!
//! Any JSON object is accepted, because Stripe adds fields at any time, older endpoints send older formats, and pings
//! and thin events have no object. Fields that can't be read are absent. [`Event::fact`] returns the meaning of an
//! event.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::fact::StripeFact;
use crate::json::{self, Fields, NotJson};

/// A delivered event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `evt_...`; absent in some deliveries that were made by hand.
    pub id: Option<String>,
    /// Stripe's `type`, such as `payment_intent.succeeded`. An event without one is ignored.
    pub kind: Option<String>,
    /// Time at which Stripe created the event, which may be weeks before a redelivery.
    pub created: Option<DateTime<Utc>>,
    /// Whether real money is involved.
    pub livemode: bool,
    /// `data.object`: the object of the event in its state at that time. Null in a thin event, which has none.
    pub object: Value,
}

/// The body is not an event. The error contains no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("the body is {0}")]
    NotJson(#[from] NotJson),
    #[error("the body is not an object")]
    NotAnObject,
}

impl Event {
    /// Parses the raw body of a request.
    ///
    /// # Errors
    /// [`EventError`] if the body is not a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        Self::from_value(json::read(body)?)
    }

    /// Converts a body that is parsed already.
    ///
    /// # Errors
    /// [`EventError::NotAnObject`].
    pub fn from_value(mut event: Value) -> Result<Self, EventError> {
        if !event.is_object() {
            return Err(EventError::NotAnObject);
        }
        let object = event.pointer_mut("/data/object").map(Value::take).unwrap_or_default();
        let fields = Fields::of(&event);
        Ok(Self {
            id: fields.id("id"),
            kind: fields.id("type"),
            created: fields.time("created"),
            livemode: fields.flag("livemode").unwrap_or(false),
            object,
        })
    }

    /// Returns what happened, or [`StripeFact::Other`] for a type that is not acted on.
    #[must_use]
    pub fn fact(&self) -> StripeFact {
        StripeFact::read(self.kind.as_deref().unwrap_or_default(), Fields::of(&self.object))
    }
}
