//! What the simulated telephone service reports in the commands that bring it along.

use chrono::{Days, Utc};

use serde_json::json;

use crate::simulator::CallScript;

/// A call that makes an appointment for a week from now: one in the past would be shown to people instead of being
/// texted to whoever asked for it.
pub(crate) fn appointment() -> CallScript {
    let day = (Utc::now() + Days::new(7)).format("%Y-%m-%d").to_string();
    let data = json!({"booking_confirmed": true, "confirmed_date": day, "confirmed_time": "10:00",
                      "confirmation_number": "BD441"});
    CallScript { data: Some(data), ..CallScript::default() }
}
