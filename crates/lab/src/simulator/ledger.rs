//! The messages and request counts of the fake Twilio. Every text to a person in the ledger counts as sent; tests count
//! texts here. Texts from people and Twilio's own texts to them are apart from these.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use nightshift_providers::twilio::MessageStatus;
use serde::Serialize;

use super::inbound::Delivery;
use super::keywords::OptOuts;

/// The texts in both directions, the opt-outs and the request counts since the start, or since the ledger was last cleared.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    messages: Vec<StoredMessage>,
    received: Vec<ReceivedText>,
    confirmations: Vec<Confirmation>,
    requests: Requests,
    #[serde(skip)]
    opt_outs: OptOuts,
    #[serde(skip)]
    by_sid: HashMap<String, Place>,
}

/// The list that holds a message, and its position there.
#[derive(Debug, Clone, Copy)]
enum Place {
    Sent(usize),
    Received(usize),
}

/// A text that the fake Twilio accepted from a client or from a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMessage {
    /// `SM` followed by 32 hex digits, or `MM` if it has media.
    pub sid: String,
    pub direction: Direction,
    pub from: String,
    pub to: String,
    pub body: String,
    pub status: MessageStatus,
    /// Twilio's error code if the text was not delivered.
    pub error_code: Option<u32>,
    /// The time at which it was accepted.
    pub at: DateTime<Utc>,
    /// The time at which it left the queue. `None` if it is still queued or scheduled.
    pub sent_at: Option<DateTime<Utc>>,
    /// What the client says that the text is for.
    pub message_intent: Option<String>,
    /// The callback URL as the client sent it, with its fragment.
    pub status_callback: Option<String>,
    /// The callbacks in the order in which they were sent.
    pub callbacks: Vec<SentCallback>,
    /// Whether the client deleted it. A deleted text is not listed, but it was sent.
    pub deleted: bool,
    pub media: Vec<StoredMedia>,
}

/// The way of a message, as Twilio names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Sent by a request.
    OutboundApi,
    /// Sent by the answer to a webhook.
    OutboundReply,
    Inbound,
}

/// A picture of a received text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMedia {
    /// `ME` followed by 32 hex digits.
    pub sid: String,
    pub content_type: String,
    #[serde(skip)]
    pub content: Content,
}

/// Where the bytes of a picture are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Here(Vec<u8>),
    /// At this URL.
    Elsewhere(String),
}

/// A text that a person sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedText {
    #[serde(flatten)]
    pub message: StoredMessage,
    /// What the webhook says about a keyword.
    pub opt_out_type: Option<String>,
    /// The deliveries of the webhook, in the order in which they ended.
    pub deliveries: Vec<Delivery>,
    /// Whether the answer to a delivery was acted on. Answers to further deliveries are only recorded.
    pub answered: bool,
}

/// A text that Twilio itself sends in answer to a keyword.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirmation {
    pub from: String,
    pub to: String,
    pub body: String,
    pub at: DateTime<Utc>,
}

impl StoredMessage {
    /// Returns whether the status is final.
    pub(super) fn has_ended(&self) -> bool {
        self.direction == Direction::Inbound || self.status.rank() >= MessageStatus::Delivered.rank()
    }
}

/// One callback with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentCallback {
    pub status: MessageStatus,
    /// The time at which the last attempt ended.
    pub at: DateTime<Utc>,
    /// Number of attempts.
    pub tries: u32,
    /// HTTP status of the answer to the last attempt. `None` if there was no answer.
    pub http_status: Option<u16>,
}

/// Number of requests of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Requests to send a text, including rejected and failed ones.
    pub send: u64,
    /// Requests for a list of messages.
    pub list: u64,
    /// Requests for one message.
    pub get: u64,
    /// Requests of any kind with wrong credentials.
    pub unauthorized: u64,
    /// Requests of any kind that exceeded the limit of concurrent requests.
    pub too_many: u64,
}

impl Ledger {
    /// Returns all texts to people, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[StoredMessage] {
        &self.messages
    }

    /// Returns all texts from people, oldest first.
    #[must_use]
    pub fn received(&self) -> &[ReceivedText] {
        &self.received
    }

    /// Returns what Twilio itself sent in answer to keywords, oldest first.
    #[must_use]
    pub fn confirmations(&self) -> &[Confirmation] {
        &self.confirmations
    }

    /// Returns whether Twilio refuses texts from `number` to `person`, because the person has opted out.
    #[must_use]
    pub fn blocks(&self, number: &str, person: &str) -> bool {
        self.opt_outs.blocks(number, person)
    }

    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests
    }

    /// Returns a message in either direction.
    #[must_use]
    pub fn message(&self, sid: &str) -> Option<&StoredMessage> {
        Some(match *self.by_sid.get(sid)? {
            Place::Sent(at) => &self.messages[at],
            Place::Received(at) => &self.received[at].message,
        })
    }

    /// Returns the texts to one recipient, oldest first.
    pub fn to<'a>(&'a self, number: &'a str) -> impl Iterator<Item = &'a StoredMessage> {
        self.messages.iter().filter(move |message| message.to == number)
    }

    /// Returns the messages in both directions, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &StoredMessage> {
        let mut sent = self.messages.iter().rev().peekable();
        let mut received = self.received.iter().rev().map(|text| &text.message).peekable();
        std::iter::from_fn(move || match (sent.peek(), received.peek()) {
            (Some(to), Some(from)) if to.at < from.at => received.next(),
            (Some(_), _) => sent.next(),
            (None, _) => received.next(),
        })
    }

    pub(super) fn count(&mut self) -> &mut Requests {
        &mut self.requests
    }

    pub(super) fn store(&mut self, message: StoredMessage) {
        self.by_sid.insert(message.sid.clone(), Place::Sent(self.messages.len()));
        self.messages.push(message);
    }

    /// Takes in a text of a person, and does what its keyword asks for.
    pub(super) fn receive(&mut self, text: ReceivedText) {
        let StoredMessage { sid, from, to, body, at, .. } = &text.message;
        if let Some(answer) = self.opt_outs.heard(to, from, body) {
            self.confirmations.push(Confirmation { from: to.clone(), to: from.clone(), body: answer.into(), at: *at });
        }
        self.by_sid.insert(sid.clone(), Place::Received(self.received.len()));
        self.received.push(text);
    }

    /// Returns `None` if the ledger was cleared after the message was accepted.
    pub(super) fn message_mut(&mut self, sid: &str) -> Option<&mut StoredMessage> {
        Some(match *self.by_sid.get(sid)? {
            Place::Sent(at) => &mut self.messages[at],
            Place::Received(at) => &mut self.received[at].message,
        })
    }

    /// Returns `None` if there is no such text of a person.
    pub(super) fn received_mut(&mut self, sid: &str) -> Option<&mut ReceivedText> {
        match *self.by_sid.get(sid)? {
            Place::Sent(_) => None,
            Place::Received(at) => Some(&mut self.received[at]),
        }
    }
}
