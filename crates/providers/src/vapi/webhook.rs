//! VAPI's webhooks: changes of a call's status, and the result at its end.
//!
//! Any JSON object is accepted as a report, because there are many kinds that are not needed, and VAPI adds new ones.

use serde_json::Value;

use super::call::{Call, Progress};
use super::findings::Findings;
use crate::json::{self, Fields, NotJson};

/// A report with the fields that are needed.
#[derive(Debug, Clone)]
pub struct Report {
    /// `status-update`, `end-of-call-report`, or one of many kinds that are ignored.
    pub kind: Option<String>,
    /// The call. `None` for kinds of reports without one.
    pub call: Option<Call>,
    status: Option<String>,
    findings: Findings,
}

/// The body is not a report. The error contains no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error("the body is {0}")]
    NotJson(#[from] NotJson),
    #[error("the body is not an object")]
    NotAnObject,
}

impl Report {
    /// Parses the body of a webhook.
    ///
    /// # Errors
    /// [`ReportError`] if the body is not a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, ReportError> {
        let body = json::read(body)?;
        if !body.is_object() {
            return Err(ReportError::NotAnObject);
        }
        let message = Fields::of(&body).within("message");
        let call = Call::read(message.at("call").unwrap_or(&Value::Null));
        let findings = Findings::read(message);
        Ok(Self {
            kind: message.id("type"),
            status: message.id("status"),
            // Findings that the message lacks may be in the call within it.
            findings: match &call {
                Some(call) => findings.or(&call.findings),
                None => findings,
            },
            call,
        })
    }

    /// Returns the key that is the same for repeated deliveries of a report: call, type and status, and for a call that
    /// has ended a digest of the findings. A later report of the same end may have more findings and must not count as
    /// a duplicate. Returns `None` for a report without a call or a type.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let (call, kind) = (self.call.as_ref()?, self.kind.as_deref()?);
        let key = format!("{}:{kind}:{}", call.id, self.status.as_deref().unwrap_or_default());
        Some(if self.progress() == Progress::Underway { key } else { format!("{key}:{}", self.findings.digest()) })
    }

    /// Returns the progress of the call.
    #[must_use]
    pub fn progress(&self) -> Progress {
        match self.kind.as_deref() {
            // This report is sent when all findings have been created.
            Some("end-of-call-report") => Progress::of(Some("ended"), &self.findings, true),
            Some("status-update") => Progress::of(self.status.as_deref(), &self.findings, false),
            _ => Progress::Underway,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn report(message: Value) -> Report {
        Report::parse(json!({"message": message}).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_end_of_call_report_tells_the_outcome() {
        let report = report(json!({"type": "end-of-call-report", "endedReason": "assistant-ended-call",
            "analysis": {"structuredData": {"booking_confirmed": true, "confirmed_date": "2026-11-24", "confirmed_time": "10:00"}},
            "artifact": {"transcript": "AI: Hello"}, "call": {"id": "c1", "status": "ended",
            "assistantOverrides": {"metadata": {"bookingCallId": "bc_1"}}}}));
        assert!(report.key().unwrap().starts_with("c1:end-of-call-report::"));
        assert_eq!(report.call.as_ref().unwrap().booking_call_id(), Some("bc_1"));
        let Progress::Ended(outcome) = report.progress() else { panic!("it has ended") };
        assert_eq!(outcome.confirmation.unwrap().date.as_deref(), Some("2026-11-24"));
        assert_eq!(outcome.transcript.as_deref(), Some("AI: Hello"));
    }

    #[test]
    fn a_status_update_is_known_by_its_status_and_tells_no_outcome() {
        let report = report(json!({"type": "status-update", "status": "in-progress", "call": {"id": "c1"}}));
        assert_eq!(
            (report.key().unwrap().as_str(), report.progress()),
            ("c1:status-update:in-progress", Progress::Underway)
        );
    }

    #[test]
    fn a_later_report_that_knows_more_is_no_repetition() {
        let base = json!({"type": "end-of-call-report", "endedReason": "customer-ended-call", "call": {"id": "c1"},
                          "analysis": {"summary": "They agreed."}});
        let (first, mut later) = (report(base.clone()), base);
        later["timestamp"] = json!(7);
        assert_eq!(first.key(), report(later.clone()).key());
        assert!(matches!(first.progress(), Progress::Analysing(_)));
        later["call"]["artifact"] = json!({"structuredOutputs": {"1": {"result": {"booking_confirmed": true}}}});
        let later = report(later);
        assert_ne!(first.key(), later.key());
        assert!(matches!(later.progress(), Progress::Ended(outcome) if outcome.confirmation.is_some()));
    }

    #[test]
    fn data_that_were_skipped_end_the_call_without_them() {
        let message = json!({"type": "end-of-call-report", "call": {"id": "c1"},
                             "artifact": {"skippedStructuredOutputs": {"1": {"name": "booking"}}}});
        assert!(matches!(report(message).progress(), Progress::Ended(outcome) if outcome.confirmation.is_none()));
    }

    #[test]
    fn any_object_is_a_report_and_nothing_else_is() {
        for body in [&b"{"[..], b"[]", b"7", b""] {
            assert!(Report::parse(body).is_err());
        }
        for body in [&b"{}"[..], br#"{"message": {}}"#, br#"{"message": {"type": 7}}"#, br#"{"message": [1]}"#] {
            let report = Report::parse(body).unwrap();
            assert_eq!((report.key(), report.progress()), (None, Progress::Underway));
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Report::parse(&body).map(|report| (report.key(), report.progress()));
        }
    }
}
