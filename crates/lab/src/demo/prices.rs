//! The second part of the demo: a booking is changed without being repriced, and the price check finds it.

use anyhow::bail;
use serde_json::json;

use super::day::{Cast, PATIENCE, text_at};
use super::trail::Trail;

const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(50);

/// Runs this part with a paid booking.
pub(super) async fn play(cast: &Cast<'_>, trail: &mut Trail<'_>, booking: &str) -> anyhow::Result<()> {
    trail.gap();
    let owner = cast.owner().await?;
    let path = format!("/api/bookings/{booking}");
    let changed = cast.website.patch(&path, &json!({"quantity": 2})).await?;
    let total = |body: &serde_json::Value| body["booking"]["totalMinor"].as_i64().unwrap_or_default();
    trail.expect("price", "a second dog, and the price of one", &total(&changed), &4_500);

    check(cast, trail, 1).await?;
    let item = owner.get(&format!("/api/exceptions?type=pricing_drift&bookingId={booking}")).await?;
    let detail = &item["exceptions"][0]["detail"];
    trail.expect("price", "an exception for the owner", &text_at(&item, "/exceptions/0/severity")?, &"high".to_owned());
    trail.expect("price", "off by, in minor units", &detail["driftMinor"].as_i64().unwrap_or_default(), &-2_000);
    let shown = cast.website.get(&path).await?;
    trail.expect("price", "the booking is left as it is", &total(&shown), &4_500);

    let repriced = owner.post(&format!("{path}/reprice"), &json!({"reason": "two dogs"})).await?;
    trail.expect("price", "repriced by the owner", &total(&repriced), &6_500);
    check(cast, trail, 0).await?;
    let left = owner.get(&format!("/api/exceptions?type=pricing_drift&bookingId={booking}")).await?;
    let left = left["exceptions"].as_array().map_or(0, Vec::len);
    trail.expect("price", "exceptions left", &left, &0);
    Ok(())
}

/// Runs the price check now, which the schedule runs at two in the morning.
async fn check(cast: &Cast<'_>, trail: &mut Trail<'_>, drifted: i64) -> anyhow::Result<()> {
    let owner = cast.owner().await?;
    let asked = owner.post("/api/reconciliation/runs", &json!({})).await?;
    let job = text_at(&asked, "/jobId")?;
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let begun = text_at(&owner.get(&format!("/api/jobs/{job}")).await?, "/state")? == "succeeded";
        let runs = owner.get("/api/reconciliation/runs?limit=1").await?;
        if begun && runs["runs"][0]["status"] == "completed" {
            let found = runs["runs"][0]["drifted"].as_i64().unwrap_or_default();
            trail.expect("price", "the nightly check, now: bookings that differ", &found, &drifted);
            return Ok(());
        }
        if tokio::time::Instant::now() > until {
            bail!("the price check did not end within {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
