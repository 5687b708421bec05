//! The payload of a `booking_call.start` job, with its keys, policy and subject.

use std::time::Duration;

use nightshift_domain::ids::{CallId, ServiceRequestId};
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingCallStart {
    pub booking_call_id: CallId,
    pub service_request_id: ServiceRequestId,
}

impl BookingCallStart {
    /// Returns the once key of the job that places a call.
    #[must_use]
    pub fn key(call: &CallId) -> String {
        format!("call.start:{call}")
    }
}

impl Job for BookingCallStart {
    const KIND: &'static str = "booking_call.start";
    const QUEUE: &'static str = "calls";

    fn keys(&self) -> Keys {
        Keys::once(Self::key(&self.booking_call_id)).group(format!("request:{}", self.service_request_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::call(&self.booking_call_id)
    }

    fn policy() -> Policy {
        Policy::fast(3).timeout(Duration::from_secs(60))
    }
}
