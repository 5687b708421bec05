//! The payload of a `booking_call.poll` job, with its keys, policy and subject.

use std::time::Duration;

use nightshift_domain::ids::CallId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingCallPoll {
    pub booking_call_id: CallId,
}

impl BookingCallPoll {
    /// Returns the dedup key of the job that polls a call.
    #[must_use]
    pub fn key(call: &CallId) -> String {
        format!("call.poll:{call}")
    }
}

impl Job for BookingCallPoll {
    const KIND: &'static str = "booking_call.poll";
    const QUEUE: &'static str = "calls";

    fn keys(&self) -> Keys {
        Keys::dedup(Self::key(&self.booking_call_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::call(&self.booking_call_id)
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(20))
    }
}
