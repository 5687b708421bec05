//! What a `booking_call.start` job is stored as: its payload, and with it its keys, its policy and what it is about.

use std::time::Duration;

use nightshift_domain::ids::{CallId, ServiceRequestId};
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

/// A call that is wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingCallStart {
    /// The call.
    pub booking_call_id: CallId,
    /// The request it is for.
    pub service_request_id: ServiceRequestId,
}

impl BookingCallStart {
    /// Names the one job that places a call.
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
