//! The payload of an `sms.send` job, with its keys, policy and subject.

use std::time::Duration;

use nightshift_domain::ids::{MessageId, ThreadId};
use nightshift_domain::messaging::delivery::Outbound;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsSend {
    pub message_event_id: MessageId,
    /// The thread, whose texts are sent one at a time.
    pub thread_id: ThreadId,
    /// How often the text was sent again after attempts of which the carrier knew nothing.
    #[serde(default)]
    pub resend: i64,
    /// How often the carrier had accepted the text and given it back because of the recipient's hours. Each time is an
    /// effect of its own.
    #[serde(default)]
    pub given_back: i64,
}

impl SmsSend {
    /// Creates the job for the first sending of a text.
    #[must_use]
    pub fn first(message_event_id: MessageId, thread_id: ThreadId) -> Self {
        Self { message_event_id, thread_id, resend: 0, given_back: 0 }
    }

    /// Creates the job for another sending of a text.
    #[must_use]
    pub fn again(text: &Outbound) -> Self {
        let (message_event_id, thread_id) = (text.id.clone(), text.thread_id.clone());
        Self { message_event_id, thread_id, resend: text.resends, given_back: text.given_back }
    }

    /// Returns the once key of the job that sends a text for the first time, or for the n-th time again.
    #[must_use]
    pub fn key(text: &MessageId, resend: i64) -> String {
        match resend {
            0 => format!("sms:{text}"),
            n => format!("sms:{text}:r{n}"),
        }
    }
}

impl Job for SmsSend {
    const KIND: &'static str = "sms.send";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::once(Self::key(&self.message_event_id, self.resend)).group(format!("thread:{}", self.thread_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::text(&self.message_event_id)
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(30))
    }
}
