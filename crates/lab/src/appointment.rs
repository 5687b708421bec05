//! The appointment that the simulated VAPI reports in the demo and in `prove`.

use chrono::{Days, Utc};

use serde_json::json;

use crate::simulator::CallScript;

/// Returns a script for calls that make an appointment a week from now. An appointment in the past would raise an
/// exception instead of being texted to the requester.
pub(crate) fn appointment() -> CallScript {
    let day = (Utc::now() + Days::new(7)).format("%Y-%m-%d").to_string();
    let data = json!({"booking_confirmed": true, "confirmed_date": day, "confirmed_time": "10:00",
                      "confirmation_number": "BD441"});
    CallScript { data: Some(data), ..CallScript::default() }
}
