//! The result of a call: the data that a language model extracts from it.
//!
//! The data are in `artifact.structuredOutputs`, a map from an output's id to its `name` and `result`, or in the older
//! `analysis.structuredData`. They are created after the call, separately from the summary, and may arrive later than
//! its end. Fields may be missing, wrong or of another type. Only `booking_confirmed: true` counts as a booking, and
//! unreadable data never make a call fail.

use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::json::Fields;

/// Maximum length of a field. A longer one is no date, time or number.
const FIELD_CHARS_MAX: usize = 100;
/// The fields that our assistants must fill.
const DATA: [&str; 4] = ["booking_confirmed", "confirmed_date", "confirmed_time", "confirmation_number"];

/// The findings about a call so far.
#[derive(Clone)]
pub(super) struct Findings {
    /// Our fields. `None` until there are data.
    data: Option<Map<String, Value>>,
    /// Whether outputs were skipped because their conditions were not met. They will never be created.
    skipped: bool,
    ended_reason: Option<String>,
    transcript: Option<String>,
}

/// The result of a call that has ended.
#[derive(Clone, PartialEq, Eq)]
pub struct CallOutcome {
    /// The appointment. `None` if none was made.
    pub confirmation: Option<Confirmation>,
    /// VAPI's `endedReason`.
    pub ended_reason: Option<String>,
    pub transcript: Option<String>,
}

/// An appointment, in the words used in the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    pub date: Option<String>,
    pub time: Option<String>,
    /// The confirmation number that the called business gave.
    pub number: Option<String>,
}

impl Findings {
    /// Reads the findings of a call, or of a report's message.
    pub(super) fn read(fields: Fields<'_>) -> Self {
        let skipped = fields.at("artifact.skippedStructuredOutputs");
        Self {
            data: of_outputs(fields).or_else(|| of_analysis(fields)),
            skipped: skipped.is_some_and(|skipped| !is_empty(skipped)),
            ended_reason: fields.id("endedReason"),
            transcript: fields.text("artifact.transcript").or_else(|| fields.text("transcript")),
        }
    }

    /// Fills what is missing from `other`.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            data: self.data.or_else(|| other.data.clone()),
            skipped: self.skipped || other.skipped,
            ended_reason: self.ended_reason.or_else(|| other.ended_reason.clone()),
            transcript: self.transcript.or_else(|| other.transcript.clone()),
        }
    }

    /// Returns whether nothing will be added. Before the last report, a skipped output may not be ours.
    pub(super) fn are_complete(&self, last_report: bool) -> bool {
        self.data.is_some() || (last_report && self.skipped)
    }

    pub(super) fn outcome(&self) -> CallOutcome {
        CallOutcome {
            confirmation: self.data.as_ref().and_then(confirmation),
            ended_reason: self.ended_reason.clone(),
            transcript: self.transcript.clone(),
        }
    }

    /// Returns a digest that changes whenever there are more findings.
    pub(super) fn digest(&self) -> String {
        let known = serde_json::json!([self.data, self.skipped, self.ended_reason, self.transcript]);
        hex::encode(&Sha256::digest(known.to_string().as_bytes())[..8])
    }
}

/// Omits the transcript and the data, which must not appear in logs.
impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Findings")
            .field("data", &self.data.is_some())
            .field("ended_reason", &self.ended_reason)
            .finish_non_exhaustive()
    }
}

/// Omits the transcript and the data, which must not appear in logs.
impl fmt::Debug for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOutcome")
            .field("confirmed", &self.confirmation.is_some())
            .field("ended_reason", &self.ended_reason)
            .finish_non_exhaustive()
    }
}

/// Returns our fields from all outputs: from the fields of a result, or from the result of an output with the field's
/// name. Outputs that confirm a booking take precedence.
fn of_outputs(fields: Fields<'_>) -> Option<Map<String, Value>> {
    let outputs: Vec<&Value> = match fields.at("artifact.structuredOutputs")? {
        Value::Object(outputs) => outputs.values().collect(),
        Value::Array(outputs) => outputs.iter().collect(),
        _ => return None,
    };
    let mut results: Vec<Map<String, Value>> = outputs.into_iter().map(of_output).collect();
    results.sort_by_key(|result| result.get(DATA[0]) != Some(&Value::Bool(true)));
    let mut data = Map::new();
    for (name, value) in results.into_iter().flatten() {
        data.entry(name).or_insert(value);
    }
    data.contains_key(DATA[0]).then_some(data)
}

fn of_output(output: &Value) -> Map<String, Value> {
    let output = Fields::of(output);
    match output.at("result") {
        Some(Value::Object(result)) => ours(result),
        Some(result) => output
            .text("name")
            .filter(|name| DATA.contains(&name.as_str()))
            .map(|name| Map::from_iter([(name, result.clone())]))
            .unwrap_or_default(),
        None => Map::new(),
    }
}

fn of_analysis(fields: Fields<'_>) -> Option<Map<String, Value>> {
    let data = fields.at("analysis.structuredData").filter(|data| !is_empty(data))?;
    Some(data.as_object().map(ours).unwrap_or_default())
}

fn ours(result: &Map<String, Value>) -> Map<String, Value> {
    DATA.iter()
        .filter_map(|name| Some(((*name).to_owned(), result.get(*name).filter(|value| !value.is_null())?.clone())))
        .collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.trim().is_empty(),
        Value::Null => true,
        _ => false,
    }
}

fn confirmation(data: &Map<String, Value>) -> Option<Confirmation> {
    if data.get(DATA[0]) != Some(&Value::Bool(true)) {
        return None;
    }
    let field = |name: &str| {
        let text = match data.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty() && text.chars().count() <= FIELD_CHARS_MAX && !text.contains('\0')).then_some(text)
    };
    Some(Confirmation { date: field(DATA[1]), time: field(DATA[2]), number: field(DATA[3]) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(value: &Value) -> Findings {
        Findings::read(Fields::of(value))
    }

    fn confirmed(value: &Value) -> Option<Confirmation> {
        read(value).outcome().confirmation
    }

    fn words(date: &str, time: &str, number: Option<&str>) -> Option<Confirmation> {
        Some(Confirmation {
            date: Some(date.to_owned()),
            time: Some(time.to_owned()),
            number: number.map(str::to_owned),
        })
    }

    #[test]
    fn only_a_plain_true_is_a_booking() {
        for data in [
            json!({"booking_confirmed": "true"}),
            json!({"booking_confirmed": 1}),
            json!([1]),
            json!("yes"),
            json!({"x": 1}),
        ] {
            let findings = read(&json!({"analysis": {"structuredData": data}}));
            assert!(findings.are_complete(false) && findings.outcome().confirmation.is_none(), "{data}");
        }
        let data = json!({"booking_confirmed": true, "confirmed_date": " Tuesday ", "confirmed_time": 10,
                          "confirmation_number": null});
        assert_eq!(confirmed(&json!({"analysis": {"structuredData": data}})), words("Tuesday", "10", None));
    }

    #[test]
    fn our_fields_are_found_in_whichever_output_holds_them() {
        let booked = json!({"booking_confirmed": true, "confirmed_date": "2026-12-01", "confirmed_time": "10:00",
                            "confirmation_number": "TC-7"});
        let other = json!({"name": "mood", "result": {"score": 7, "booking_confirmed": false}});
        let expected = words("2026-12-01", "10:00", Some("TC-7"));
        let outputs = |outputs: Value| json!({"artifact": {"structuredOutputs": outputs}});
        assert_eq!(confirmed(&outputs(json!({"a": other, "b": {"name": "booking", "result": booked}}))), expected);
        assert_eq!(confirmed(&outputs(json!({"b": {"name": "booking", "result": booked}, "c": other}))), expected);
        assert_eq!(confirmed(&outputs(json!([other, {"result": booked}]))), expected);
        let apart = json!({
            "1": {"name": "booking_confirmed", "result": true}, "2": {"name": "confirmed_date", "result": "2026-12-01"},
            "3": {"name": "confirmed_time", "result": "10:00"}, "4": {"name": "confirmation_number", "result": "TC-7"},
        });
        assert_eq!(confirmed(&outputs(apart)), expected);
        // Outputs of other kinds contain no data, so the older place is read.
        let mut value = outputs(json!({"a": {"name": "mood", "result": {"score": 7}}, "b": {"name": "late"}, "c": 7}));
        assert!(!read(&value).are_complete(true));
        value["analysis"] = json!({"structuredData": booked});
        assert_eq!(confirmed(&value), expected);
    }

    #[test]
    fn an_output_that_was_skipped_is_awaited_until_the_last_report() {
        let findings = read(&json!({"artifact": {"skippedStructuredOutputs": {"a": {"name": "booking"}}}}));
        assert!(!findings.are_complete(false) && findings.are_complete(true));
        assert!(!read(&json!({"artifact": {"skippedStructuredOutputs": {}}})).are_complete(true));
    }

    #[test]
    fn more_findings_have_another_digest() {
        let first = read(&json!({"endedReason": "customer-ended-call", "timestamp": 1}));
        assert_eq!(first.digest(), read(&json!({"endedReason": "customer-ended-call", "timestamp": 2})).digest());
        let more = read(&json!({"endedReason": "customer-ended-call", "analysis": {"structuredData": {"x": 1}}}));
        assert_ne!(first.digest(), more.digest());
    }

    proptest! {
        #[test]
        fn whatever_a_model_writes_is_read(text in "\\PC{0,200}", number in any::<f64>()) {
            for value in [json!(text), json!(number), json!([text]), json!({"x": text})] {
                let data = json!({"booking_confirmed": true, "confirmed_date": value, "confirmed_time": value});
                let confirmation = confirmed(&json!({"analysis": {"structuredData": data}})).unwrap();
                prop_assert!(confirmation.date.is_none_or(|date| date.chars().count() <= FIELD_CHARS_MAX));
            }
        }
    }
}
