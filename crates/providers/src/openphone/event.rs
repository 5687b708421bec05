//! The webhooks that OpenPhone sends, in all three shapes: of a webhook that was made in the app, of one that was made by
//! the older API (both `data.object`), and of one that was made by the current API (`data.resource` and `data.context`).
//!
//! Any JSON object is accepted. A field that can't be read is absent, and an event that lacks what is needed is
//! [`Fact::Other`].

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::inbound::{InboundText, is_web_address};
use crate::json::{self, Fields, NotJson};

/// Maximum number of media of a text that are read.
const MEDIA_MAX: usize = 10;

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

/// The body is no event. The error contains no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the body is {0}")]
    NotJson(#[from] NotJson),
    #[error("the body is not an object")]
    NotAnObject,
}

impl Event {
    /// Reads a webhook.
    ///
    /// # Errors
    /// [`ParseError`] if the body is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let body = json::read(body)?;
        if !body.is_object() {
            return Err(ParseError::NotAnObject);
        }
        let event = Fields::of(&body);
        let (id, kind) = (event.id("id"), event.id("type"));
        let fact = fact(event, kind.as_deref().unwrap_or_default()).unwrap_or(Fact::Other);
        Ok(Self { id, kind, fact })
    }
}

/// Returns `None` if the event lacks what is needed.
fn fact(event: Fields<'_>, kind: &str) -> Option<Fact> {
    let message = Message(event);
    match kind.strip_prefix("message.")? {
        // The status of an incoming text differs from shape to shape, so only the direction counts.
        "received" if !message.is_outgoing() => message.received().map(Fact::Received),
        status @ ("delivered" | "failed" | "undelivered") if !message.is_incoming() => {
            Some(Fact::Delivery { sid: message.sid()?, status: status.to_owned() })
        }
        _ => None,
    }
}

/// The message of an event, in any shape.
struct Message<'a>(Fields<'a>);

impl Message<'_> {
    fn sid(&self) -> Option<String> {
        ["data.resource.id", "data.object.id"].iter().find_map(|path| self.0.id(path))
    }

    fn direction_is(&self, word: &str) -> bool {
        let directions = ["data.resource.direction", "data.object.direction"];
        directions.iter().find_map(|path| self.0.text(path)).is_some_and(|direction| direction == word)
    }

    fn is_outgoing(&self) -> bool {
        self.direction_is("outgoing")
    }

    fn is_incoming(&self) -> bool {
        self.direction_is("incoming")
    }

    fn received(&self) -> Option<InboundText> {
        Some(InboundText {
            // Without the message's id, the event's id tells this text from others.
            sid: self.sid().or_else(|| self.0.id("id"))?,
            from: self.first(&["data.context.senderIdentifier", "data.resource.from", "data.object.from"])?,
            to: self.first(&["data.context.recipientIdentifiers", "data.resource.to", "data.object.to"])?,
            body: self.body(),
            media: self.media(),
            lacks_media: false,
            keyword: None,
            sent_at: self.sent_at(),
        })
    }

    /// Returns the first text at one of the paths, each of which may be a list of texts.
    fn first(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| match self.0.list(path) {
            Some(list) => list.iter().find_map(as_text),
            None => self.0.text(path),
        })
    }

    /// Returns the untrimmed text. NUL, which PostgreSQL can't store in text, becomes U+FFFD.
    fn body(&self) -> String {
        let text = |path: &&str| Some(self.0.at(path)?.as_str()?.replace('\0', "\u{fffd}"));
        let paths = ["data.resource.text", "data.object.text", "data.object.body"];
        let texts: Vec<String> = paths.iter().filter_map(text).collect();
        texts.iter().find(|text| !text.is_empty()).cloned().unwrap_or_default()
    }

    fn media(&self) -> Vec<String> {
        let lists = ["data.resource.media", "data.object.media"];
        media(lists.iter().filter_map(|path| self.0.list(path)).flatten())
    }

    /// Returns when the message was created, else when the event was.
    fn sent_at(&self) -> Option<DateTime<Utc>> {
        ["data.resource.createdAt", "data.object.createdAt", "createdAt"]
            .iter()
            .find_map(|path| DateTime::parse_from_rfc3339(&self.0.text(path)?).ok().map(|at| at.to_utc()))
    }
}

/// Returns the web addresses of media, which are given as texts or as objects with `url`.
pub(super) fn media<'a>(entries: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let urls = entries.filter_map(|entry| as_text(entry).or_else(|| Fields::of(entry).text("url")));
    urls.filter(|url| is_web_address(url)).take(MEDIA_MAX).collect()
}

fn as_text(value: &Value) -> Option<String> {
    Some(value.as_str()?.trim().replace('\0', "\u{fffd}")).filter(|text| !text.is_empty())
}

/// Returns the event that [`Event::parse`] reads as `text`, in the shape of a current webhook. It has no id of its own.
#[must_use]
pub fn received_event(text: &InboundText) -> String {
    let at = text.sent_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    let media: Vec<_> = text.media.iter().map(|url| json!({ "url": url })).collect();
    let event = json!({
        "type": "message.received",
        "createdAt": at,
        "data": {
            "resource": {
                "id": text.sid,
                "text": text.body,
                "direction": "incoming",
                "media": media,
                "createdAt": at,
            },
            "context": { "senderIdentifier": text.from, "recipientIdentifiers": [text.to] },
        },
    });
    event.to_string()
}
