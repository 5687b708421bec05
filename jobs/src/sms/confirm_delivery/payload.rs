//! The payload of an `sms.confirm_delivery` job, with its keys, policy and subject.

use std::time::Duration;

use nightshift_domain::ids::MessageId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsConfirmDelivery {
    pub message_event_id: MessageId,
}

impl SmsConfirmDelivery {
    /// Returns the key of the job that finds out the outcome of a text.
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
