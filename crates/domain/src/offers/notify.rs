//! Tells a sitter of an offer, by an automatic text.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::held::hold;
use super::offer::load;
use super::record::{record, trigger_of};
use super::status::OfferStatus;
use super::words;
use crate::actor::Actor;
use crate::audit::Event;
use crate::automations::AutomationType;
use crate::automations::runs::{self, NewAutomationRun, RunsToStart};
use crate::confirmation;
use crate::ids::OfferId;
use crate::people::organizations;
use crate::{Error, Result};

/// Inserts the run of the text about an offer. Returns nothing if the offer can no longer be answered, or its run exists
/// already and has ended.
///
/// # Errors
/// [`Error::NotFound`] if there is no such offer.
pub async fn notify(tx: &mut Tx, id: &OfferId, by: &Actor, now: Timestamp) -> Result<RunsToStart> {
    let booking = load(tx, id).await?.booking_id;
    let held = hold(tx, &booking).await?;
    let offer = held.offers.iter().find(|offer| offer.id == *id).ok_or(Error::NotFound)?;
    let scene = held.scene(now);
    if offer.status != OfferStatus::Pending || offer.expires_at <= now || !scene.open || scene.taken_by.is_some() {
        return Ok(RunsToStart::default());
    }
    let booking = &held.booking;
    let zone = organizations::zone_in(tx, &booking.org_id).await?;
    let new = NewAutomationRun {
        org_id: &booking.org_id,
        kind: AutomationType::OfferNotification,
        trigger_ref: trigger_of(id),
        booking_id: Some(&booking.id),
        thread_id: None,
        client_id: None,
        sitter_id: Some(&offer.sitter_id),
        scheduled_for: confirmation::delay(tx, booking, AutomationType::OfferNotification, now).await?,
        blocked: false,
        variables: Some(json!({"code": offer.code.to_string(), "expiry": words::moment(offer.expires_at, zone)})),
    };
    let (run, created) = runs::insert(tx, &new, now).await?;
    if created {
        let facts = json!({"offerId": id, "code": offer.code, "automationRunId": run.id});
        record(tx, booking, offer, Event::OfferSent, "success", facts, by, now).await?;
    }
    Ok(run.to_start().into())
}
