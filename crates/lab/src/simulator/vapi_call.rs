//! A call of the fake VAPI, and the script that it follows.
//!
//! A call makes progress when it is polled, not by a timer, so that ten thousand open calls cost only memory.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::vapi_account::VapiAccount;

/// What happens when a call is started. The phone rings if the call is placed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartScript {
    /// 201. The call is placed.
    #[default]
    Placed,
    /// 400. No call is placed.
    Refused,
    /// 429 with `Retry-After: 1`. No call is placed.
    RateLimited,
    /// 500. No call is placed.
    ErrorBefore,
    /// 500. The call is placed.
    ErrorAfter,
    /// No answer for `delayMs`, then the connection is closed. No call is placed.
    HangBefore,
    /// No answer for `delayMs`, then the connection is closed. The call is placed.
    HangAfter,
    /// The connection is closed at once without an answer. The call is placed.
    CloseAfter,
}

/// The course of calls. As JSON: `{"number": "+14155550177", "endsAtPoll": 3, "confirmed": false, "times": 1}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallScript {
    /// The number to which the script applies. `None` applies to all numbers.
    pub number: Option<String>,
    /// Number of calls for which the script is used. 0 means all calls until it is cleared.
    pub times: u32,
    pub start: StartScript,
    /// Delay of [`StartScript::HangBefore`] and [`StartScript::HangAfter`] in milliseconds.
    pub delay_ms: u64,
    /// The number of the poll at which the call has ended, counted from 1. With `None` polls do not end the call.
    pub ends_at_poll: Option<u32>,
    /// Number of polls after the end until the analysis is available.
    pub analysis_after: u32,
    /// Number of polls, counted from the first, that answer 500.
    pub failing_polls: u32,
    /// Whether the call makes an appointment.
    pub confirmed: bool,
    /// The structured data of the analysis. `None` derives it from `confirmed`.
    pub data: Option<Value>,
    /// Whether the data is in `artifact.structuredOutputs`, as in newer versions of the API, instead of
    /// `analysis.structuredData`.
    pub structured_outputs: bool,
    /// Whether the summary is available at the end of the call, before the data.
    pub summary_first: bool,
    /// The status that every poll returns. `None` returns the real status.
    pub status: Option<String>,
    /// Milliseconds from the start after which the call ends without polls, and is reported to the server URL of the
    /// request. `None` sends no report.
    pub report_after_ms: Option<u64>,
    /// Whether every report is sent twice.
    pub reports_doubled: bool,
    /// Whether the end-of-call report is sent before the status update about the end.
    pub reports_swapped: bool,
}

impl Default for CallScript {
    fn default() -> Self {
        Self {
            number: None,
            times: 0,
            start: StartScript::Placed,
            delay_ms: 15_000,
            ends_at_poll: Some(2),
            analysis_after: 0,
            failing_polls: 0,
            confirmed: true,
            data: None,
            structured_outputs: false,
            summary_first: false,
            status: None,
            report_after_ms: None,
            reports_doubled: false,
            reports_swapped: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedCall {
    pub id: String,
    pub name: String,
    /// The number that was called.
    pub number: String,
    /// The `assistantOverrides` of the request.
    pub overrides: Value,
    pub created_at: DateTime<Utc>,
    /// The day of the appointment: the requested day, or a future day if the request has no valid one.
    pub date: String,
    /// The time of day of the appointment.
    pub time: String,
    /// Number of polls of this call so far.
    pub polls: u32,
    /// Whether the call ended through `report_after_ms`.
    pub hung_up: bool,
    pub script: CallScript,
}

impl PlacedCall {
    fn has_ended(&self) -> bool {
        self.hung_up || self.script.ends_at_poll.is_some_and(|poll| self.polls >= poll)
    }

    /// Returns the structured data of the analysis, or `None` if it is not available yet.
    fn data(&self) -> Option<Value> {
        let since_end = self.polls.saturating_sub(self.script.ends_at_poll.unwrap_or(0));
        let is_there = self.has_ended() && (self.hung_up || since_end >= self.script.analysis_after);
        is_there.then(|| match &self.script.data {
            Some(data) => data.clone(),
            None if self.script.confirmed => json!({
                "booking_confirmed": true, "confirmed_date": self.date, "confirmed_time": self.time,
                "confirmation_number": "BD441",
            }),
            None => json!({"booking_confirmed": false}),
        })
    }

    /// Returns the call in VAPI's format.
    pub(super) fn resource(&self, account: &VapiAccount) -> Value {
        let status = match (self.has_ended(), self.polls) {
            (true, _) => "ended",
            (false, 0) => "queued",
            (false, 1) => "ringing",
            (false, _) => "in-progress",
        };
        let mut call = json!({
            "id": self.id, "orgId": "simulated", "type": "outboundPhoneCall",
            "status": self.script.status.as_deref().unwrap_or(status), "name": self.name,
            "assistantId": account.assistant_id, "phoneNumberId": account.phone_number_id,
            "createdAt": self.created_at, "updatedAt": self.created_at,
            "customer": {"number": self.number}, "assistantOverrides": self.overrides, "cost": 0,
        });
        if self.has_ended() {
            call["endedReason"] = json!("assistant-ended-call");
            call["artifact"] =
                json!({"transcript": "AI: Hello, I would like to book an appointment.\nUser: Of course.\n"});
        }
        let data = self.data();
        if data.is_some() || (self.has_ended() && self.script.summary_first) {
            call["analysis"]["summary"] = json!("The assistant asked for an appointment.");
        }
        match data {
            Some(data) if self.script.structured_outputs => {
                let output = json!({"name": "booking", "result": data});
                call["artifact"]["structuredOutputs"] = json!({"50071e00-0000-4000-8000-000000000001": output});
            }
            Some(data) => call["analysis"]["structuredData"] = data,
            None => {}
        }
        call
    }
}

/// Returns the day and time of the appointment that a call makes. If the requested day is missing or in the past, the
/// day is the day after tomorrow, which is in the future in every time zone.
pub(super) fn appointment(overrides: &Value, now: DateTime<Utc>) -> (String, String) {
    let asked = |name: &str| overrides["variableValues"][name].as_str().map(str::trim).filter(|text| !text.is_empty());
    let to_come = (now + TimeDelta::days(2)).date_naive();
    let requested =
        asked("preferredDate").and_then(|text| text.parse::<NaiveDate>().ok()).filter(|day| *day >= now.date_naive());
    (requested.unwrap_or(to_come).to_string(), asked("preferredTime").unwrap_or("10:00").to_owned())
}
