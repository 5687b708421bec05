//! What VAPI reports: that a call's status changed, and at its end what came of it.

use serde::Deserialize;

use super::call::{Analysis, Artifact, Call, CallOutcome, is_analysed, outcome};

/// A report, as far as it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `status-update`, `end-of-call-report`, or one of many that don't matter here.
    #[serde(rename = "type")]
    pub kind: String,
    /// The call; some kinds have none.
    #[serde(default)]
    pub call: Option<Call>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    ended_reason: Option<String>,
    #[serde(default)]
    transcript: Option<String>,
    #[serde(default)]
    artifact: Option<Artifact>,
    #[serde(default)]
    analysis: Option<Analysis>,
}

/// A body that is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReportError(String);

impl Report {
    /// Reads a webhook's body.
    ///
    /// # Errors
    /// It is not JSON, or has no `message` with a `type`.
    pub fn parse(body: &[u8]) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Envelope {
            message: Report,
        }
        let envelope: Envelope = serde_json::from_slice(body).map_err(|error| ReportError(error.to_string()))?;
        Ok(envelope.message)
    }

    /// What makes two deliveries the same report: call, type and status.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let call = self.call.as_ref()?;
        Some(format!("{}:{}:{}", call.id, self.kind, self.status.as_deref().unwrap_or_default()))
    }

    /// Whether it tells that the call is over.
    #[must_use]
    pub fn tells_end(&self) -> bool {
        self.kind == "end-of-call-report" || (self.kind == "status-update" && self.status.as_deref() == Some("ended"))
    }

    /// Whether it brings the analysis, without which an end is no outcome yet.
    #[must_use]
    pub fn is_analysed(&self) -> bool {
        is_analysed(self.analysis.as_ref())
    }

    /// What came of the call, when this is the report of its end.
    #[must_use]
    pub fn outcome(&self) -> Option<CallOutcome> {
        (self.kind == "end-of-call-report").then(|| {
            let transcript = self.artifact.as_ref().and_then(|artifact| artifact.transcript.clone());
            outcome(self.analysis.as_ref(), self.ended_reason.clone(), transcript.or_else(|| self.transcript.clone()))
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_end_of_call_report_tells_the_outcome() {
        let body = br#"{"message": {"type": "end-of-call-report", "endedReason": "assistant-ended-call",
            "analysis": {"structuredData": {"booking_confirmed": true, "confirmed_date": "2026-11-24", "confirmed_time": "10:00"}},
            "artifact": {"transcript": "AI: Hello"}, "call": {"id": "c1", "status": "ended",
            "assistantOverrides": {"metadata": {"bookingCallId": "bc_1"}}}}}"#;
        let report = Report::parse(body).unwrap();
        assert_eq!(report.key().unwrap(), "c1:end-of-call-report:");
        assert_eq!(report.call.as_ref().unwrap().booking_call_id(), Some("bc_1"));
        let outcome = report.outcome().unwrap();
        assert_eq!(outcome.confirmation.unwrap().date.as_deref(), Some("2026-11-24"));
        assert_eq!(outcome.transcript.as_deref(), Some("AI: Hello"));
    }

    #[test]
    fn a_status_update_is_known_by_its_status_and_tells_no_outcome() {
        let report =
            Report::parse(br#"{"message": {"type": "status-update", "status": "in-progress", "call": {"id": "c1"}}}"#);
        let report = report.unwrap();
        assert_eq!((report.key().unwrap().as_str(), report.outcome()), ("c1:status-update:in-progress", None));
        assert!(!report.tells_end());
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for body in [&b"{"[..], b"[]", b"{}", br#"{"message": {}}"#, br#"{"message": {"type": 7}}"#] {
            assert!(Report::parse(body).is_err());
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Report::parse(&body).map(|report| (report.key(), report.outcome()));
        }
    }
}
