//! What an `sms.confirm_delivery` job is stored as: its payload, and with it its keys, its policy and what it is about.

use std::time::Duration;

use nightshift_domain::ids::MessageId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

/// A text of which it is not known whether it left.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsConfirmDelivery {
    /// The text.
    pub message_event_id: MessageId,
}

impl SmsConfirmDelivery {
    /// Names the one job that asks after a text.
    #[must_use]
    pub fn key(text: &MessageId) -> String {
        format!("smsconf:{text}")
    }
}

impl Job for SmsConfirmDelivery {
    const KIND: &'static str = "sms.confirm_delivery";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::dedup(Self::key(&self.message_event_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::text(&self.message_event_id)
    }

    fn policy() -> Policy {
        Policy::fast(5).timeout(Duration::from_secs(20))
    }
}
