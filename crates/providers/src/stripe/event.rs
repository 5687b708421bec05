//! The envelope of a Stripe event.
//!
//! Any JSON object is one: Stripe adds fields at will, older endpoints send older shapes, pings and thin events carry no
//! object, and what can't be read is absent. What an event means is told by [`Event::fact`].

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::fact::StripeFact;
use crate::json::{self, Fields, NotJson};

/// One event as delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `evt_...`; hand-made deliveries may lack it.
    pub id: Option<String>,
    /// Stripe's `type`, such as `payment_intent.succeeded`. An event without one means nothing to us.
    pub kind: Option<String>,
    /// When Stripe made the event, which may be weeks before a resend.
    pub created: Option<DateTime<Utc>>,
    /// Whether real money moved.
    pub livemode: bool,
    /// `data.object`: what the event is about, as it stood then; null in a thin event, which only names it.
    pub object: Value,
}

/// The body is not an event. Holds no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON at all.
    #[error("the body is {0}")]
    NotJson(#[from] NotJson),
    /// JSON, but no object.
    #[error("the body is not an object")]
    NotAnObject,
}

impl Event {
    /// Reads a request's raw body.
    ///
    /// # Errors
    /// [`EventError`] when it is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        Self::from_value(json::read(body)?)
    }

    /// Reads a body that was parsed already.
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

    /// What happened, for the types that are acted on; [`StripeFact::Other`] for all else.
    #[must_use]
    pub fn fact(&self) -> StripeFact {
        StripeFact::read(self.kind.as_deref().unwrap_or_default(), Fields::of(&self.object))
    }
}
