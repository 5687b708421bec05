//! The last part of the demo: a person requests an appointment and picks a provider, and a call books it.

use std::time::Duration;

use anyhow::bail;
use chrono::Utc;
use serde_json::json;

use super::day::{Cast, PATIENCE, text_at};
use super::trail::Trail;
use crate::appointment::appointment;
use crate::simulator::CallScript;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs this part. Returns the address of the request's page.
pub(super) async fn play(cast: &Cast<'_>, trail: &mut Trail<'_>) -> anyhow::Result<String> {
    trail.gap();
    let vapi = cast.simulator.vapi();
    vapi.script(CallScript { ends_at_poll: Some(3), analysis_after: 1, ..appointment() });
    let person = format!("+1212557{:04}", Utc::now().timestamp_micros() % 10_000);
    let body = json!({
        "title": "Teeth cleaning", "userPhone": person, "contactName": "Anna", "location": "New York",
        "providers": [
            {"name": "Bright Dental", "phone": "+12125550177", "rating": 4.8, "recommendation": "Close by, good reviews.",
             "earliestAvailability": "Tuesday"},
            {"name": "Mission Smiles", "phone": "+12125550178", "rating": 4.5, "recommendation": "Opens early."},
        ],
    });
    let made = cast.website.post("/api/v1/service-requests", &body).await?;
    let (id, url) = (text_at(&made, "/data/id")?, text_at(&made, "/data/requestUrl")?);
    trail.expect("request", "two providers", &text_at(&made, "/data/status")?, &"RECOMMENDED".to_owned());

    let path = format!("/api/v1/service-requests/{id}");
    let shown = cast.website.get(&path).await?;
    let new_call = json!({"serviceRequestId": id, "providerId": text_at(&shown, "/data/providers/0/id")?});
    let first = cast.website.post("/api/v1/bookings/schedule-async", &new_call).await?;
    let execution = text_at(&first, "/data/executionId")?;
    trail.tell("call", format_args!("{execution} {}", text_at(&first, "/data/status")?));
    let second = cast.website.post("/api/v1/bookings/schedule-async", &new_call).await?;
    trail.expect("call", "a second click is the same call", &text_at(&second, "/data/executionId")?, &execution);

    let until = tokio::time::Instant::now() + PATIENCE;
    let request = loop {
        let request = cast.website.get(&path).await?;
        if text_at(&request, "/data/status")? != "BOOKING" {
            break request;
        }
        if tokio::time::Instant::now() > until {
            bail!("the call did not end within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    trail.expect("call", "the request", &text_at(&request, "/data/status")?, &"COMPLETED".to_owned());
    let call = cast.website.get(&format!("/api/v1/bookings/executions/{execution}")).await?;
    let looks = call["data"]["pollCount"].as_i64().unwrap_or_default();
    trail.expect("call", "looks until its end, one of them for the analysis", &looks, &4);
    trail.expect("call", "phones that rang", &vapi.placed(), &1);
    trail.tell("call", text_at(&request, "/data/finalOutcome")?);

    let twilio = cast.simulator.twilio();
    if !twilio.wait_until(PATIENCE, |ledger| ledger.to(&person).next().is_some()).await {
        bail!("the person was not told within {} s", PATIENCE.as_secs());
    }
    let text = twilio.read(|ledger| ledger.to(&person).map(|text| text.body.clone()).collect::<Vec<_>>());
    trail.expect("text", "texts to the person", &text.len(), &1);
    trail.tell("text", text.concat());
    Ok(url)
}
