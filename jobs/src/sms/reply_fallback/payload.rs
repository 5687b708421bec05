//! The payload of an `sms.reply_fallback` job, with its keys, policy and subject.

use std::time::Duration;

use nightshift_domain::ids::InboxId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsReplyFallback {
    /// The event in the inbox that the reply belongs to.
    pub inbox_id: InboxId,
}

impl SmsReplyFallback {
    /// Returns the once key of the job for an event.
    #[must_use]
    pub fn key(inbox: &InboxId) -> String {
        format!("reply:{inbox}")
    }
}

impl Job for SmsReplyFallback {
    const KIND: &'static str = "sms.reply_fallback";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::once(Self::key(&self.inbox_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::delivery(&self.inbox_id)
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(30))
    }
}
