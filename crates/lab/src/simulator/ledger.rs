//! The messages and request counts of the fake Twilio. Every text in the ledger counts as sent; tests count texts here.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use nightshift_providers::twilio::MessageStatus;
use serde::Serialize;

/// The accepted texts and the request counts since the start, or since the ledger was last cleared.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    messages: Vec<StoredMessage>,
    requests: Requests,
    #[serde(skip)]
    by_sid: HashMap<String, usize>,
}

/// A text that the fake Twilio accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMessage {
    /// `SM` followed by 32 hex digits.
    pub sid: String,
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
    /// The callback URL as the client sent it, with its fragment.
    pub status_callback: Option<String>,
    /// The callbacks in the order in which they were sent.
    pub callbacks: Vec<SentCallback>,
    /// Whether the client deleted it. A deleted text is not listed, but it was sent.
    pub deleted: bool,
}

impl StoredMessage {
    /// Returns whether the status is final.
    pub(super) fn has_ended(&self) -> bool {
        self.status.rank() >= MessageStatus::Delivered.rank()
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
    /// Returns all texts, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[StoredMessage] {
        &self.messages
    }

    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests
    }

    #[must_use]
    pub fn message(&self, sid: &str) -> Option<&StoredMessage> {
        self.by_sid.get(sid).map(|at| &self.messages[*at])
    }

    /// Returns the texts to one recipient, oldest first.
    pub fn to<'a>(&'a self, number: &'a str) -> impl Iterator<Item = &'a StoredMessage> {
        self.messages.iter().filter(move |message| message.to == number)
    }

    pub(super) fn count(&mut self) -> &mut Requests {
        &mut self.requests
    }

    pub(super) fn store(&mut self, message: StoredMessage) {
        self.by_sid.insert(message.sid.clone(), self.messages.len());
        self.messages.push(message);
    }

    /// Returns `None` if the ledger was cleared after the text was accepted.
    pub(super) fn message_mut(&mut self, sid: &str) -> Option<&mut StoredMessage> {
        self.by_sid.get(sid).map(|at| &mut self.messages[*at])
    }
}
