//! A text to send, a text that was accepted, and a text that is looked for. Nothing here prints a number or a text.

use std::fmt;

use chrono::{DateTime, Utc};

/// A text to send.
#[derive(Clone, PartialEq, Eq)]
pub struct SendMessage {
    /// Our number in E.164 format.
    pub from: String,
    /// The recipient's number in E.164 format.
    pub to: String,
    /// At most 1600 characters.
    pub body: String,
    /// The address to which Twilio reports the status. A fragment configures Twilio's retries and is not signed.
    /// OpenPhone reports to the webhooks that are registered with it, and ignores this.
    pub status_callback: Option<String>,
    pub intent: Intent,
}

/// What a text is for. A carrier that keeps quiet hours for its customers may let through one kind and hold back others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    /// It tells a person about something of theirs, such as a booking.
    Notification,
    /// Somebody writes in a conversation.
    Conversation,
}

impl Intent {
    /// Returns Twilio's word.
    pub(crate) const fn of_twilio(self) -> &'static str {
        match self {
            Self::Notification => "notifications",
            Self::Conversation => "customercare",
        }
    }
}

/// A text that a carrier has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The carrier's id of the text.
    pub sid: String,
    /// How far it was when the carrier answered.
    pub delivery: Delivery,
}

/// How far a carrier has got with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Not sent yet, or a status that says nothing about it.
    Pending,
    /// Passed on to the recipient's network. Many texts never get further, because their network sends no receipts.
    Sent,
    /// Delivered to the handset.
    Delivered,
    /// The recipient's network could not deliver it.
    Undelivered,
    /// The carrier could not send it.
    Failed,
}

/// A text with an unknown outcome.
#[derive(Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Our number in E.164 format.
    pub from: String,
    /// The recipient's number in E.164 format.
    pub to: String,
    pub body: String,
    /// Time of the attempt whose outcome is unknown.
    pub since: DateTime<Utc>,
}

/// A message between the two numbers that was created since the attempt whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub message: SentMessage,
    /// Whether its text is the one that was sent. If not, it may still be the message, unless it is known as another
    /// one.
    pub same_text: bool,
    /// Why it was not delivered. `None` if it was, or may still be.
    pub error_code: Option<String>,
}

/// Returns whether two ways to write a number mean the same one.
pub(crate) fn same_number(shown: &str, ours: &str) -> bool {
    digits(shown).eq(digits(ours))
}

fn digits(number: &str) -> impl Iterator<Item = char> {
    number.chars().filter(char::is_ascii_digit)
}

impl fmt::Debug for SendMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMessage").field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("since", &self.since).finish_non_exhaustive()
    }
}
