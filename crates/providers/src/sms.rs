//! The service that sends texts, selected by `SMS_PROVIDER`.
//!
//! An enum instead of a trait, because there are few services and all return the same types. The mock needs no network,
//! and returns the same SID for a text however often it is sent.

use crate::twilio::MessageStatus;
use crate::twilio::{Candidate, Lookup, LookupError, SendError, SendMessage, SentMessage, TwilioClient};

/// Sends texts through one service.
#[derive(Debug, Clone)]
pub enum SmsSender {
    /// Accepts every text and sends none.
    Mock,
    /// Twilio, or its simulator.
    Twilio(TwilioClient),
}

impl SmsSender {
    /// Returns the name under which numbers and messages are stored.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::Twilio(_) => "twilio",
        }
    }

    /// Sends a text with a single request. `event_id` is our id of the message.
    ///
    /// # Errors
    /// The text was not confirmed as accepted. The class of the error says whether it may be sent again.
    pub async fn send(&self, event_id: &str, message: &SendMessage) -> Result<SentMessage, SendError> {
        match self {
            Self::Mock => Ok(mock(event_id)),
            Self::Twilio(client) => client.send(message).await,
        }
    }

    /// Returns all messages that may be a text with an unknown outcome, oldest first. The mock has accepted every text.
    ///
    /// # Errors
    /// The service could not be asked, so the outcome remains unknown.
    pub async fn candidates(&self, event_id: &str, lookup: &Lookup) -> Result<Vec<Candidate>, LookupError> {
        match self {
            Self::Mock => Ok(vec![Candidate { message: mock(event_id), same_text: true, error_code: None }]),
            Self::Twilio(client) => client.candidates(lookup).await,
        }
    }

    /// Checks that the service answers and accepts the credentials. The mock always does.
    pub async fn check(&self) -> Result<(), LookupError> {
        match self {
            Self::Mock => Ok(()),
            Self::Twilio(client) => client.check().await,
        }
    }
}

fn mock(event_id: &str) -> SentMessage {
    SentMessage { sid: format!("SMmock-{event_id}"), status: MessageStatus::Queued }
}
