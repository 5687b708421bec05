//! One call of the fake VAPI, and the script that it follows.
//!
//! A call goes on by being looked at, not by a timer: ten thousand calls in the air cost ten thousand entries.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::vapi_account::VapiAccount;

/// What happens when a call is started. "Placing" is the point after which the phone rings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartScript {
    /// It is placed, 201.
    #[default]
    Placed,
    /// 400.
    Refused,
    /// 429 with `Retry-After: 1`.
    RateLimited,
    /// 500; nothing is placed.
    ErrorBefore,
    /// 500; it is placed.
    ErrorAfter,
    /// No answer for `delayMs`, then the connection closes; nothing is placed.
    HangBefore,
    /// No answer for `delayMs`, then the connection closes; it is placed.
    HangAfter,
    /// The connection closes at once; it is placed.
    CloseAfter,
}

/// How calls go. As JSON: `{"number": "+14155550177", "endsAtPoll": 3, "confirmed": false, "times": 1}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallScript {
    /// For calls to this number; to any, when there is none.
    pub number: Option<String>,
    /// For so many calls; 0 for all.
    pub times: u32,
    /// What its start answers.
    pub start: StartScript,
    /// How long a start that hangs does so.
    pub delay_ms: u64,
    /// It is over when it is looked at for the n-th time; never, when there is none.
    pub ends_at_poll: Option<u32>,
    /// The analysis comes so many looks after the end.
    pub analysis_after: u32,
    /// So many first looks answer 500.
    pub failing_polls: u32,
    /// Whether an appointment was made.
    pub confirmed: bool,
    /// The structured data, instead of what `confirmed` stands for.
    pub data: Option<Value>,
    /// The data are in `artifact.structuredOutputs`, the newer place.
    pub structured_outputs: bool,
    /// The summary is there at the end of the call, before the data.
    pub summary_first: bool,
    /// Every look shows this status instead of the call's own.
    pub status: Option<String>,
    /// It ends by itself so long after its start, and is reported to the address it was started with.
    pub report_after_ms: Option<u64>,
    /// Every report is sent twice.
    pub reports_doubled: bool,
    /// The end-of-call report is sent before the status that tells the end.
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

/// A call that was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedCall {
    /// VAPI's id.
    pub id: String,
    /// What the caller named it.
    pub name: String,
    /// Who was called.
    pub number: String,
    /// As it was sent.
    pub overrides: Value,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The day of the appointment: the one that was asked for, else one that is to come.
    pub date: String,
    /// Its time of day.
    pub time: String,
    /// How often it was looked at.
    pub polls: u32,
    /// Whether it ended by itself.
    pub hung_up: bool,
    /// How it goes.
    pub script: CallScript,
}

impl PlacedCall {
    fn has_ended(&self) -> bool {
        self.hung_up || self.script.ends_at_poll.is_some_and(|poll| self.polls >= poll)
    }

    /// What a model made of the call, once it is there.
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

    /// The call in VAPI's shape.
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

/// The appointment that a call makes: what was asked for, where it is a day to come; else the day after tomorrow, which is
/// after today in every zone.
pub(super) fn appointment(overrides: &Value, now: DateTime<Utc>) -> (String, String) {
    let asked = |name: &str| overrides["variableValues"][name].as_str().map(str::trim).filter(|text| !text.is_empty());
    let to_come = (now + TimeDelta::days(2)).date_naive();
    let requested =
        asked("preferredDate").and_then(|text| text.parse::<NaiveDate>().ok()).filter(|day| *day >= now.date_naive());
    (requested.unwrap_or(to_come).to_string(), asked("preferredTime").unwrap_or("10:00").to_owned())
}
