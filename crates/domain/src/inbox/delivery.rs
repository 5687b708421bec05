//! A delivery of a webhook, before and after it is stored.

use nightshift_db::Moment;
use serde_json::Value;

use crate::audit::Event;
use crate::ids::InboxId;
use crate::text_enum::text_enum;

text_enum! {
    pub enum WebhookSource {
        /// Payments.
        Stripe = "stripe",
        /// Texts sent to OpenPhone numbers.
        OpenPhone = "openphone",
        /// Texts sent to Twilio numbers.
        Twilio = "twilio",
        /// Twilio's delivery reports about texts.
        TwilioStatus = "twilio_status",
        /// AI phone calls.
        Vapi = "vapi",
    }
}

impl WebhookSource {
    /// Returns the audit event that records a delivery from this source.
    #[must_use]
    pub fn received_event(self) -> Event {
        match self {
            Self::Stripe => Event::WebhookStripeReceived,
            Self::OpenPhone => Event::WebhookSmsReceived,
            Self::Twilio | Self::TwilioStatus => Event::WebhookTwilioReceived,
            Self::Vapi => Event::WebhookVapiReceived,
        }
    }
}

/// One delivery of a webhook, after its signature was checked.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub provider: WebhookSource,
    /// Identifies the event: every delivery of one event has the same key.
    pub event_key: String,
    /// The type of the event in the source's own words.
    pub event_type: Option<String>,
    /// Whether the signature was present and valid, or we asked the source for the event ourselves.
    pub verified: bool,
    /// Headers to store, without secrets.
    pub headers: Value,
    /// The body, byte for byte as received.
    pub payload: String,
    /// The id of the HTTP request.
    pub request_id: String,
    /// When it arrived, which may be long before it is stored.
    pub arrived: Moment,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: the job of a delivery that is the first of its event"]
pub struct Recorded {
    /// The row of the event.
    pub inbox_id: InboxId,
    /// Whether this is the first delivery of the event.
    pub first: bool,
}
