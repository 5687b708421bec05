//! The payload of a `thread.assign_number` job, with its keys, policy and subject.

use std::time::Duration;

use nightshift_domain::ids::ThreadId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

/// The time between two attempts.
const EVERY: Duration = Duration::from_secs(600);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadAssignNumber {
    pub thread_id: ThreadId,
}

impl ThreadAssignNumber {
    /// Returns the dedup key of the job that looks for a thread's number.
    pub(crate) fn key(thread: &ThreadId) -> String {
        format!("assign:{thread}")
    }
}

impl Job for ThreadAssignNumber {
    const KIND: &'static str = "thread.assign_number";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::dedup(Self::key(&self.thread_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::conversation(&self.thread_id)
    }

    fn policy() -> Policy {
        Policy::every(EVERY, 144).timeout(Duration::from_secs(15))
    }
}
