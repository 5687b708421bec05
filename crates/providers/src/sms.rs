//! The service that texts go out through, as `SMS_PROVIDER` names it.
//!
//! An enum, not a trait: the services are few and known, and each answers in the same terms. The mock needs no network
//! and gives every text the same SID however often it is sent.

use crate::twilio::MessageStatus;
use crate::twilio::{Candidate, Lookup, LookupError, SendError, SendMessage, SentMessage, TwilioClient};

/// Sends texts.
#[derive(Debug, Clone)]
pub enum SmsSender {
    /// Takes every text and sends none.
    Mock,
    /// Twilio, or its simulator.
    Twilio(TwilioClient),
}

impl SmsSender {
    /// The name under which numbers and messages are filed.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::Twilio(_) => "twilio",
        }
    }

    /// Sends one text, once. `event_id` names the message on our side.
    ///
    /// # Errors
    /// The text was not confirmed as taken; the class says whether it may be sent again.
    pub async fn send(&self, event_id: &str, message: &SendMessage) -> Result<SentMessage, SendError> {
        match self {
            Self::Mock => Ok(mock(event_id)),
            Self::Twilio(client) => client.send(message).await,
        }
    }

    /// Looks for a text that may have gone out: all messages that may be it, oldest first. The mock has taken every text.
    ///
    /// # Errors
    /// The service could not be asked, so the text's fate stays unknown.
    pub async fn candidates(&self, event_id: &str, lookup: &Lookup) -> Result<Vec<Candidate>, LookupError> {
        match self {
            Self::Mock => Ok(vec![Candidate { message: mock(event_id), same_text: true, error_code: None }]),
            Self::Twilio(client) => client.candidates(lookup).await,
        }
    }

    /// Asks whether the service answers and knows our account. The mock always does.
    ///
    /// # Errors
    /// How it did not.
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
