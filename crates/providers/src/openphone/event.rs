//! The webhooks that OpenPhone sends.

use crate::inbound::InboundText;

/// A webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// The id of the event, the same in every delivery.
    pub id: Option<String>,
    /// Such as `message.received`.
    pub kind: Option<String>,
    pub fact: Fact,
}

/// What a webhook reports.
#[derive(Clone, PartialEq, Eq)]
pub enum Fact {
    /// Somebody sent a text to one of our numbers.
    Received(InboundText),
    /// The status of a text that we sent has changed.
    Delivery {
        sid: String,
        /// OpenPhone's word.
        status: String,
    },
    /// Something that is not about texts, or can't be read.
    Other,
}

/// The body is no JSON object.
#[derive(Debug, thiserror::Error)]
#[error("the body is no JSON object")]
pub struct ParseError;

impl Event {
    /// Reads a webhook.
    ///
    /// # Errors
    /// [`ParseError`] if the body is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let body: serde_json::Value = serde_json::from_slice(body).map_err(|_| ParseError)?;
        let text = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
        Ok(Self { id: text("id"), kind: text("type"), fact: Fact::Other })
    }
}
