//! What the fake Twilio was asked and what it sent. Tests count texts here: a text that is in the ledger went out.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use nightshift_providers::twilio::MessageStatus;
use serde::Serialize;

/// Everything since the start, or since it was last cleared.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    messages: Vec<StoredMessage>,
    requests: Requests,
    #[serde(skip)]
    by_sid: HashMap<String, usize>,
}

/// A text that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMessage {
    /// `SM` and 32 hex digits.
    pub sid: String,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// The text.
    pub body: String,
    /// How far it has come.
    pub status: MessageStatus,
    /// Why it failed, when it did.
    pub error_code: Option<u32>,
    /// When it was taken.
    pub at: DateTime<Utc>,
    /// When it was sent on.
    pub sent_at: Option<DateTime<Utc>>,
    /// Where callbacks go, as given.
    pub status_callback: Option<String>,
    /// The callbacks, in the order they were sent.
    pub callbacks: Vec<SentCallback>,
    /// Taken out of the lists by the account; it went out all the same.
    pub deleted: bool,
}

impl StoredMessage {
    /// Whether nothing more will become of it.
    pub(super) fn has_ended(&self) -> bool {
        self.status.rank() >= MessageStatus::Delivered.rank()
    }
}

/// One callback, with all its tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentCallback {
    /// What it told.
    pub status: MessageStatus,
    /// When its last try ended.
    pub at: DateTime<Utc>,
    /// How often it was tried.
    pub tries: u32,
    /// The last answer's status; none when nobody answered.
    pub http_status: Option<u16>,
}

/// How often each request was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Sends, refused and spoiled ones included.
    pub send: u64,
    /// Lists.
    pub list: u64,
    /// Looks at one message.
    pub get: u64,
    /// Any of them with wrong credentials.
    pub unauthorized: u64,
    /// Any of them beyond the number allowed at once.
    pub too_many: u64,
}

impl Ledger {
    /// All texts, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[StoredMessage] {
        &self.messages
    }

    /// The counts of requests.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests
    }

    /// One text.
    #[must_use]
    pub fn message(&self, sid: &str) -> Option<&StoredMessage> {
        self.by_sid.get(sid).map(|at| &self.messages[*at])
    }

    /// The texts to one recipient, oldest first.
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

    /// `None` when the ledger was cleared meanwhile.
    pub(super) fn message_mut(&mut self, sid: &str) -> Option<&mut StoredMessage> {
        self.by_sid.get(sid).map(|at| &mut self.messages[*at])
    }
}
