//! What an `sms.send` job is stored as: its payload, and with it its keys, its policy and what it is about.

use std::time::Duration;

use nightshift_domain::ids::{MessageId, ThreadId};
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

/// A stored text that is to leave.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsSend {
    /// The text.
    pub message_event_id: MessageId,
    /// Its conversation, whose texts leave one after the other.
    pub thread_id: ThreadId,
    /// How often it was sent again after an attempt of which the provider turned out to know nothing.
    #[serde(default)]
    pub resend: i64,
}

impl SmsSend {
    /// The first sending of a text.
    #[must_use]
    pub fn first(message_event_id: MessageId, thread_id: ThreadId) -> Self {
        Self { message_event_id, thread_id, resend: 0 }
    }

    /// Names the job that sends a text for the first time, or for the n-th time again.
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
