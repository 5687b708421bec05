//! A call as VAPI shows it, and what it means for a booking.
//!
//! The structured data is written by a language model: fields may be missing, of another type, or wrong. Nothing but
//! `booking_confirmed: true` is a booking, and nothing that can't be read fails a call.

use serde::Deserialize;
use serde_json::Value;

/// A date or time longer than this is no date or time.
const FIELD_CHARS_MAX: usize = 100;

/// A call, as far as it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// VAPI's id.
    pub id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    ended_reason: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    transcript: Option<String>,
    #[serde(default)]
    artifact: Option<Artifact>,
    #[serde(default)]
    analysis: Option<Analysis>,
    #[serde(default)]
    metadata: Option<Value>,
    #[serde(default)]
    assistant_overrides: Option<Overrides>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact {
    #[serde(default)]
    pub(super) transcript: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Analysis {
    #[serde(default)]
    pub(super) structured_data: Option<Value>,
    #[serde(default)]
    pub(super) summary: Option<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Overrides {
    #[serde(default)]
    metadata: Option<Value>,
}

/// Where a call stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It waits, rings or is being spoken.
    Underway,
    /// It is over, and its analysis has not arrived yet. It takes seconds.
    Analysing(CallOutcome),
    /// It is over.
    Ended(CallOutcome),
}

/// What came of a call that is over.
#[derive(Clone, PartialEq, Eq)]
pub struct CallOutcome {
    /// The appointment, if one was made.
    pub confirmation: Option<Confirmation>,
    /// Why the call ended, in VAPI's words.
    pub ended_reason: Option<String>,
    /// What was said.
    pub transcript: Option<String>,
}

/// Without what was said: logs show it by mistake.
impl std::fmt::Debug for CallOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallOutcome")
            .field("confirmed", &self.confirmation.is_some())
            .field("ended_reason", &self.ended_reason)
            .finish_non_exhaustive()
    }
}

/// An appointment, in the words of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The day.
    pub date: Option<String>,
    /// The time of day.
    pub time: Option<String>,
    /// The provider's number for it.
    pub number: Option<String>,
}

impl Call {
    /// Where it stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        if self.status.as_deref() != Some("ended") {
            return Progress::Underway;
        }
        let outcome = outcome(
            self.analysis.as_ref(),
            self.ended_reason.clone(),
            self.artifact.as_ref().and_then(|artifact| artifact.transcript.clone()).or_else(|| self.transcript.clone()),
        );
        if is_analysed(self.analysis.as_ref()) { Progress::Ended(outcome) } else { Progress::Analysing(outcome) }
    }

    /// Whether this is the call that was started under `name` for `booking_call_id`.
    pub(super) fn is_ours(&self, name: &str, booking_call_id: &str) -> bool {
        self.booking_call_id() == Some(booking_call_id) || self.name.as_deref() == Some(name)
    }

    /// Our id, which was put into its metadata.
    #[must_use]
    pub fn booking_call_id(&self) -> Option<&str> {
        let overrides = self.assistant_overrides.as_ref().and_then(|overrides| overrides.metadata.as_ref());
        [overrides, self.metadata.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|metadata| metadata["bookingCallId"].as_str())
    }
}

pub(super) fn is_analysed(analysis: Option<&Analysis>) -> bool {
    analysis.is_some_and(|analysis| analysis.structured_data.is_some() || analysis.summary.is_some())
}

pub(super) fn outcome(
    analysis: Option<&Analysis>,
    ended_reason: Option<String>,
    transcript: Option<String>,
) -> CallOutcome {
    let data = analysis.and_then(|analysis| analysis.structured_data.as_ref());
    CallOutcome { confirmation: data.and_then(confirmation), ended_reason, transcript }
}

fn confirmation(data: &Value) -> Option<Confirmation> {
    if data["booking_confirmed"] != Value::Bool(true) {
        return None;
    }
    let field = |name: &str| {
        let text = match &data[name] {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty() && text.chars().count() <= FIELD_CHARS_MAX && !text.contains('\0')).then_some(text)
    };
    Some(Confirmation {
        date: field("confirmed_date"),
        time: field("confirmed_time"),
        number: field("confirmation_number"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn call(value: Value) -> Call {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_call_is_under_way_until_it_has_ended() {
        for status in ["queued", "ringing", "in-progress", "forwarding", "scheduled", "something new"] {
            assert_eq!(call(json!({"id": "c", "status": status})).progress(), Progress::Underway, "{status}");
        }
        assert_eq!(call(json!({"id": "c"})).progress(), Progress::Underway);
    }

    #[test]
    fn an_ended_call_waits_for_its_analysis() {
        let ended = json!({"id": "c", "status": "ended", "endedReason": "customer-ended-call"});
        assert!(
            matches!(call(ended.clone()).progress(), Progress::Analysing(outcome) if outcome.confirmation.is_none())
        );
        let mut empty = ended;
        empty["analysis"] = json!({});
        assert!(matches!(call(empty.clone()).progress(), Progress::Analysing(_)));
        empty["analysis"] = json!({"summary": "Nobody spoke."});
        assert!(matches!(call(empty).progress(), Progress::Ended(outcome) if outcome.confirmation.is_none()));
    }

    #[test]
    fn only_a_plain_true_is_a_booking() {
        let progress =
            |data: Value| call(json!({"id": "c", "status": "ended", "analysis": {"structuredData": data}})).progress();
        for data in
            [json!({"booking_confirmed": "true"}), json!({"booking_confirmed": 1}), json!([]), json!("yes"), json!({})]
        {
            assert!(
                matches!(progress(data.clone()), Progress::Ended(CallOutcome { confirmation: None, .. })),
                "{data}"
            );
        }
        let Progress::Ended(outcome) = progress(
            json!({"booking_confirmed": true, "confirmed_date": " Tuesday ", "confirmed_time": 10, "confirmation_number": null}),
        ) else {
            panic!("it has ended")
        };
        let confirmation = outcome.confirmation.unwrap();
        assert_eq!(
            (confirmation.date.as_deref(), confirmation.time.as_deref(), confirmation.number),
            (Some("Tuesday"), Some("10"), None)
        );
    }

    #[test]
    fn our_id_is_found_in_both_places() {
        for place in ["assistantOverrides", "top"] {
            let metadata = json!({"bookingCallId": "bc_1"});
            let value = match place {
                "top" => json!({"id": "c", "metadata": metadata}),
                _ => json!({"id": "c", "assistantOverrides": {"metadata": metadata}}),
            };
            assert_eq!(call(value).booking_call_id(), Some("bc_1"), "{place}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_model_writes_is_read(text in "\\PC{0,200}", number in any::<f64>()) {
            for value in [json!(text), json!(number), json!([text]), json!({"x": text})] {
                let data = json!({"booking_confirmed": true, "confirmed_date": value, "confirmed_time": value});
                let confirmation = confirmation(&data).unwrap();
                prop_assert!(confirmation.date.is_none_or(|date| date.chars().count() <= FIELD_CHARS_MAX));
            }
        }
    }
}
