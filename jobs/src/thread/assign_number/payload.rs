//! What a `thread.assign_number` job is stored as: its payload, and with it its keys, its policy and what it is about.

use std::time::Duration;

use nightshift_domain::ids::ThreadId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

/// Between two tries.
const EVERY: Duration = Duration::from_secs(600);

/// A conversation without a number.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadAssignNumber {
    /// The conversation.
    pub thread_id: ThreadId,
}

impl ThreadAssignNumber {
    /// Names the one job that looks for a conversation's number.
    pub(crate) fn key(thread: &ThreadId) -> String {
        format!("assign:{thread}")
    }

    /// Names the one that follows a job that runs already.
    pub(crate) fn next_key(thread: &ThreadId) -> String {
        format!("{}:next", Self::key(thread))
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
