//! A call as VAPI shows it, and where it stands.

use serde_json::Value;

use super::findings::{CallOutcome, Findings};
use crate::json::Fields;

/// A call, as far as it is read.
#[derive(Debug, Clone)]
pub struct Call {
    /// VAPI's id.
    pub id: String,
    status: Option<String>,
    name: Option<String>,
    booking_call_id: Option<String>,
    pub(super) findings: Findings,
}

/// Where a call stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It waits, rings or is being spoken.
    Underway,
    /// It is over, and what came of it has not been worked out yet. That takes seconds.
    Analysing(CallOutcome),
    /// It is over.
    Ended(CallOutcome),
    /// VAPI has no call any more, and will never tell what came of it.
    Lost {
        /// Its status in VAPI's words.
        status: &'static str,
    },
}

impl Call {
    /// Reads a call; none without an id.
    #[must_use]
    pub fn read(call: &Value) -> Option<Self> {
        let fields = Fields::of(call);
        // VAPI keeps our metadata with the overrides it came with; older calls have it at the top.
        let ours = ["assistantOverrides.metadata.bookingCallId", "metadata.bookingCallId"];
        Some(Self {
            id: fields.id("id")?,
            status: fields.id("status"),
            name: fields.text("name"),
            booking_call_id: ours.into_iter().find_map(|path| fields.id(path)),
            findings: Findings::read(fields),
        })
    }

    /// Where it stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::of(self.status.as_deref(), &self.findings, false)
    }

    /// Whether this is the call that was started under `name` for `booking_call_id`.
    pub(super) fn is_ours(&self, name: &str, booking_call_id: &str) -> bool {
        self.booking_call_id() == Some(booking_call_id) || self.name.as_deref() == Some(name)
    }

    /// Our id, which was put into its metadata.
    #[must_use]
    pub fn booking_call_id(&self) -> Option<&str> {
        self.booking_call_id.as_deref()
    }
}

impl Progress {
    /// What a status and the findings so far mean. In the `last_report` nothing is late any more.
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
