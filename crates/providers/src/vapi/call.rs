//! A call at VAPI, and its progress.

use serde_json::Value;

use super::findings::{CallOutcome, Findings};
use crate::json::Fields;

/// A call with the fields that are needed.
#[derive(Debug, Clone)]
pub struct Call {
    pub id: String,
    status: Option<String>,
    name: Option<String>,
    booking_call_id: Option<String>,
    pub(super) findings: Findings,
}

/// The progress of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is queued, ringing or in progress.
    Underway,
    /// It has ended, and VAPI is still analysing its result, which takes seconds.
    Analysing(CallOutcome),
    /// It has ended, and its result is complete.
    Ended(CallOutcome),
    /// VAPI no longer has the call, so its result will never be known.
    Lost {
        /// The status that VAPI reported.
        status: &'static str,
    },
}

impl Call {
    /// Reads a call. Returns `None` if it has no id.
    #[must_use]
    pub fn read(call: &Value) -> Option<Self> {
        let fields = Fields::of(call);
        // VAPI returns our metadata within the overrides with which it was sent; older calls have it at the top level.
        let ours = ["assistantOverrides.metadata.bookingCallId", "metadata.bookingCallId"];
        Some(Self {
            id: fields.id("id")?,
            status: fields.id("status"),
            name: fields.text("name"),
            booking_call_id: ours.into_iter().find_map(|path| fields.id(path)),
            findings: Findings::read(fields),
        })
    }

    /// Returns the progress that VAPI reports for the call.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::of(self.status.as_deref(), &self.findings, false)
    }

    /// Returns whether this is the call that was started as `name` for `booking_call_id`.
    pub(super) fn is_ours(&self, name: &str, booking_call_id: &str) -> bool {
        self.booking_call_id() == Some(booking_call_id) || self.name.as_deref() == Some(name)
    }

    /// Returns our id of the call, which is stored in its metadata.
    #[must_use]
    pub fn booking_call_id(&self) -> Option<&str> {
        self.booking_call_id.as_deref()
    }
}

impl Progress {
    /// Returns the progress for a status and the known findings. `last_report` says that no findings will be added.
    pub(super) fn of(status: Option<&str>, findings: &Findings, last_report: bool) -> Self {
        match status {
            Some("ended") if findings.are_complete(last_report) => Self::Ended(findings.outcome()),
            Some("ended") => Self::Analysing(findings.outcome()),
            Some("not-found") => Self::Lost { status: "not-found" },
            Some("deletion-failed") => Self::Lost { status: "deletion-failed" },
            _ => Self::Underway,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(value: Value) -> Call {
        Call::read(&value).unwrap()
    }

    #[test]
    fn a_call_is_under_way_until_it_has_ended() {
        for status in ["queued", "ringing", "in-progress", "forwarding", "scheduled", "something new"] {
            assert_eq!(call(json!({"id": "c", "status": status})).progress(), Progress::Underway, "{status}");
        }
        assert_eq!(call(json!({"id": "c"})).progress(), Progress::Underway);
        for status in ["not-found", "deletion-failed"] {
            assert_eq!(call(json!({"id": "c", "status": status})).progress(), Progress::Lost { status });
        }
        assert!(Call::read(&json!({"status": "ended"})).is_none() && Call::read(&json!([])).is_none());
    }

    #[test]
    fn an_ended_call_waits_for_its_data_and_a_summary_is_none() {
        let mut ended = json!({"id": "c", "status": "ended", "endedReason": "customer-ended-call"});
        for analysis in [json!(null), json!({}), json!({"summary": "Nobody spoke."}), json!({"structuredData": {}})] {
            ended["analysis"] = analysis;
            let progress = call(ended.clone()).progress();
            assert!(
                matches!(&progress, Progress::Analysing(outcome) if outcome.confirmation.is_none()),
                "{ended}: {progress:?}"
            );
        }
        ended["analysis"] = json!({"structuredData": {"booking_confirmed": false}});
        assert!(matches!(call(ended).progress(), Progress::Ended(outcome) if outcome.confirmation.is_none()));
    }

    #[test]
    fn our_id_is_found_in_both_places() {
        let metadata = json!({"bookingCallId": "bc_1"});
        for value in [
            json!({"id": "c", "metadata": metadata}),
            json!({"id": "c", "assistantOverrides": {"metadata": metadata}}),
            json!({"id": "c", "assistantOverrides": {"metadata": 7}, "metadata": metadata}),
        ] {
            assert_eq!(call(value.clone()).booking_call_id(), Some("bc_1"), "{value}");
        }
    }
}
