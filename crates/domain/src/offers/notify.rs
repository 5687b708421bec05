//! Tells a sitter of an offer, by an automatic text.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::held::hold;
use super::offer::{Offer, load};
use super::record::record;
use super::status::OfferStatus;
use super::texts::{KIND, texts_of, trigger_of};
use super::words;
use crate::actor::Actor;
use crate::audit::Event;
use crate::automations::runs::{self, AutomationRun, NewAutomationRun, RunToStart, RunsToStart};
use crate::automations::{MOVED, shown_alike};
use crate::bookings::Booking;
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
    let scene = held.scene(now, now);
    if offer.status != OfferStatus::Pending || offer.expires_at <= now || !scene.open || scene.taken_by.is_some() {
        return Ok(RunsToStart::default());
    }
    let (run, created) = insert(tx, &held.booking, offer, trigger_of(id), now).await?;
    if created {
        let facts = json!({"offerId": id, "code": offer.code, "automationRunId": run.id});
        record(tx, &held.booking, offer, Event::OfferSent, "success", facts, by, now).await?;
    }
    Ok(run.to_start().into())
}

async fn insert(
    tx: &mut Tx,
    booking: &Booking,
    offer: &Offer,
    trigger_ref: String,
    now: Timestamp,
) -> Result<(AutomationRun, bool)> {
    let new = NewAutomationRun {
        org_id: &booking.org_id,
        kind: KIND,
        trigger_ref,
        booking_id: Some(&booking.id),
        thread_id: None,
        client_id: None,
        sitter_id: Some(&offer.sitter_id),
        scheduled_for: confirmation::delay(tx, booking, KIND, now).await?,
        blocked: false,
        variables: Some(json!({"code": offer.code.to_string(), "expiry": expiry(tx, booking, offer).await?})),
    };
    runs::insert(tx, &new, now).await
}

/// Returns the words for when the offer expires.
async fn expiry(tx: &mut Tx, booking: &Booking, offer: &Offer) -> Result<String> {
    Ok(words::moment(offer.expires_at, organizations::zone_in(tx, &booking.org_id).await?))
}

/// Replaces the text about an offer that states when its booking starts or the offer expires as it was before a change of
/// the booking, if it has not been sent: the sitter is told what holds. One that is being sent may arrive all the same,
/// so it is followed by another one. A sitter who was told before is not told again.
pub(super) async fn tell_anew(
    tx: &mut Tx,
    booking: &Booking,
    offer: &Offer,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<RunToStart>> {
    let Some(told) = texts_of(tx, offer).await?.pop() else { return Ok(None) };
    let states_start = told.states_start_at.is_none_or(|stated| shown_alike(stated, booking.start_at));
    let states_expiry = told.metadata.0["variables"]["expiry"] == json!(expiry(tx, booking, offer).await?);
    if !told.is_unsent() || (states_start && states_expiry) {
        return Ok(None);
    }
    told.take_back(tx, MOVED, by, now).await?;
    let trigger_ref = format!("{}:moved:{}", trigger_of(&offer.id), booking.version);
    let (run, created) = insert(tx, booking, offer, trigger_ref, now).await?;
    Ok(run.to_start().filter(|_| created))
}
