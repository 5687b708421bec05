//! The messages and request counts of the fake OpenPhone. Every outgoing text in the ledger counts as sent.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The messages and the request counts since the start, or since the ledger was last cleared.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenPhoneLedger {
    messages: Vec<OpenPhoneMessage>,
    requests: OpenPhoneRequests,
}

/// A text in either direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenPhoneMessage {
    /// `AC` followed by 32 hex digits.
    pub id: String,
    /// `PN` followed by the digits of our number.
    pub phone_number_id: String,
    pub from: String,
    pub to: String,
    pub text: String,
    /// The URLs of pictures and other media.
    pub media: Vec<String>,
    pub incoming: bool,
    pub status: String,
    pub created_at: DateTime<Utc>,
    /// The HTTP statuses of the answers to its webhooks, in the order in which they were sent. `None` if there was no
    /// answer.
    pub webhooks: Vec<Option<u16>>,
}

/// Number of requests of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenPhoneRequests {
    /// Requests to send a text, including rejected and failed ones.
    pub send: u64,
    /// Requests for a list of messages.
    pub list: u64,
    /// Requests for a list of numbers.
    pub numbers: u64,
    /// Requests of any kind with a wrong key.
    pub unauthorized: u64,
    /// Requests of any kind that exceeded the limit.
    pub too_many: u64,
}

impl OpenPhoneLedger {
    /// Returns all messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[OpenPhoneMessage] {
        &self.messages
    }

    #[must_use]
    pub fn requests(&self) -> OpenPhoneRequests {
        self.requests
    }

    #[must_use]
    pub fn message(&self, id: &str) -> Option<&OpenPhoneMessage> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// Returns the texts that were sent to one recipient, oldest first.
    pub fn to<'a>(&'a self, number: &'a str) -> impl Iterator<Item = &'a OpenPhoneMessage> {
        self.messages.iter().filter(move |message| !message.incoming && message.to == number)
    }

    pub(super) fn count(&mut self) -> &mut OpenPhoneRequests {
        &mut self.requests
    }

    pub(super) fn store(&mut self, message: OpenPhoneMessage) {
        self.messages.push(message);
    }

    pub(super) fn message_mut(&mut self, id: &str) -> Option<&mut OpenPhoneMessage> {
        self.messages.iter_mut().find(|message| message.id == id)
    }
}
