//! The status block of a request: its words, and what the call under way is at.

use nightshift_db::Timestamp;
use nightshift_domain::calls::{CallStatus, ServiceRequestStatus, ServiceRequestView};

/// What the block shows.
pub(super) struct LiveStatus {
    /// What the style sheet knows it by; empty for the usual look.
    pub(super) is: &'static str,
    pub(super) label: &'static str,
    /// The call that books; none in every other status.
    pub(super) call: Option<CallStep>,
}

/// How far the call is.
pub(super) struct CallStep {
    pub(super) words: &'static str,
    /// Seconds since somebody answered; none before.
    pub(super) elapsed: Option<u64>,
}

impl LiveStatus {
    pub(super) fn of(request: &ServiceRequestView, now: Timestamp) -> Self {
        let plain = |is, label| Self { is, label, call: None };
        match request.status {
            ServiceRequestStatus::Pending | ServiceRequestStatus::Searching => plain("", "Looking for providers..."),
            ServiceRequestStatus::Calling => plain("", "Calling providers..."),
            ServiceRequestStatus::Analyzing => plain("", "Comparing answers..."),
            ServiceRequestStatus::Recommended => plain("", "Recommendations ready"),
            ServiceRequestStatus::Completed => plain("done", "Completed"),
            ServiceRequestStatus::Failed => plain("ended", "This request was not completed."),
            ServiceRequestStatus::Cancelled => plain("ended", "This request was cancelled."),
            ServiceRequestStatus::Booking => {
                Self { is: "booking", label: "Scheduling appointment...", call: Some(CallStep::of(request, now)) }
            }
        }
    }
}

impl CallStep {
    fn of(request: &ServiceRequestView, now: Timestamp) -> Self {
        let call = request.active_call.as_ref();
        match call.filter(|call| call.status == CallStatus::InProgress && call.poll_count >= 1) {
            Some(call) => {
                let elapsed = call.started_at.map(|started| now.since(started).as_secs());
                Self { words: "On the call...", elapsed }
            }
            None => Self { words: "Connecting to provider...", elapsed: None },
        }
    }

    /// Minutes and seconds: `0:42`.
    pub(super) fn clock(seconds: &u64) -> String {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}
