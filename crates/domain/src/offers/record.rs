//! Stores the end of an offer, with its audit entry, its live updates, and the end of its unsent text.

use nightshift_db::{Timestamp, Tx};
use serde_json::{Value, json};

use super::held::Held;
use super::lifecycle::Refusal;
use super::offer::{Offer, offer_columns};
use super::status::OfferStatus;
use super::status::Via;
use super::texts::texts_of;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::OFFER_ENDED;
use crate::bookings::Booking;
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::{BookingId, OfferId};
use crate::stream;
use crate::{Error, Result};

/// The answer that ends an offer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub via: Via,
    pub reason: Option<&'a str>,
    /// When the sitter gave it.
    pub at: Timestamp,
}

const END: &str = concat!(
    "UPDATE offer_events
     SET status = $2, ended_at = $3, accepted_at = $4, declined_at = $5, answered_via = $6, decline_reason = $7,
         response_seconds = $8, updated_at = $9
     WHERE id = $1 AND status = $10 RETURNING ",
    offer_columns!("")
);

/// Ends a pending offer, or answers one that has expired since it was answered. `given` is the answer that ends it, or
/// `None` if no answer does.
///
/// # Errors
/// [`Error::Conflict`] if it has ended otherwise, which the caller's lock rules out.
pub(super) async fn end(
    tx: &mut Tx,
    held: &mut Held,
    id: &OfferId,
    status: OfferStatus,
    given: Option<Given<'_>>,
    by: &Actor,
    now: Timestamp,
) -> Result<Offer> {
    let standing = held.offers.iter().find(|offer| offer.id == *id);
    let (offered_at, before) = standing.map_or((now, OfferStatus::Pending), |offer| (offer.offered_at, offer.status));
    let at = given.map_or(now, |given| given.at);
    let seconds = i64::try_from(at.since(offered_at).as_secs()).unwrap_or(i64::MAX);
    let ended: Option<Offer> = tx
        .query(END)
        .bind(id)
        .bind(status)
        .bind(at)
        .bind((status == OfferStatus::Accepted).then_some(at))
        .bind((status == OfferStatus::Declined).then_some(at))
        .bind(given.map(|given| given.via))
        .bind(given.and_then(|given| given.reason))
        .bind(given.map(|_| seconds))
        .bind(now)
        .bind(if before == OfferStatus::Expired && given.is_some() { before } else { OfferStatus::Pending })
        .optional()
        .await?;
    let offer = ended.ok_or_else(|| Error::from(Refusal::NotPending))?;
    held.put(&offer);
    let (event, outcome) = match status {
        OfferStatus::Pending | OfferStatus::Superseded => (Event::OfferSuperseded, "info"),
        OfferStatus::Accepted => (Event::OfferAccepted, "success"),
        OfferStatus::Declined => (Event::OfferDeclined, "success"),
        OfferStatus::Expired => (Event::OfferExpired, "info"),
        OfferStatus::Withdrawn => (Event::OfferWithdrawn, "info"),
    };
    let mut facts = json!({"offerId": offer.id, "code": offer.code});
    if given.is_some() {
        facts["answeredVia"] = json!(offer.answered_via);
        facts["responseSeconds"] = json!(offer.response_seconds);
    }
    record(tx, &held.booking, &offer, event, outcome, facts, by, now).await?;
    for text in texts_of(tx, &offer).await? {
        text.take_back(tx, OFFER_ENDED, by, now).await?;
    }
    announce(tx, &offer, now).await?;
    Ok(offer)
}

const RELEASE: &str = concat!(
    "UPDATE offer_events SET status = 'withdrawn', updated_at = $2 WHERE id = $1 AND status = 'accepted' RETURNING ",
    offer_columns!("")
);

/// Releases an acceptance whose sitter has the booking no longer. When it was given stays, and the sitter's figures count
/// it.
///
/// # Errors
/// [`Error::Conflict`] if it is not accepted, which the caller's lock rules out.
pub(super) async fn release(tx: &mut Tx, held: &mut Held, id: &OfferId, by: &Actor, now: Timestamp) -> Result<()> {
    let released: Option<Offer> = tx.query(RELEASE).bind(id).bind(now).optional().await?;
    let offer = released.ok_or_else(|| Error::from(Refusal::NotPending))?;
    held.put(&offer);
    let facts = json!({"offerId": offer.id, "code": offer.code, "acceptedAt": offer.accepted_at});
    record(tx, &held.booking, &offer, Event::OfferWithdrawn, "info", facts, by, now).await?;
    announce(tx, &offer, now).await
}

/// Writes an audit entry about an offer.
#[expect(clippy::too_many_arguments, reason = "they are the columns of one entry")]
pub(super) async fn record(
    tx: &mut Tx,
    booking: &Booking,
    offer: &Offer,
    event: Event,
    outcome: &'static str,
    facts: Value,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let entry = booking.entry_with(event, outcome, by).sitter(&offer.sitter_id).metadata(facts);
    audit::record(tx, entry, now).await
}

/// Appends the live updates about an offer that has changed, for its sitter and for the owners.
pub(super) async fn announce(tx: &mut Tx, offer: &Offer, now: Timestamp) -> Result<()> {
    announce_as(tx, offer, "offer.changed", now).await
}

/// As [`announce`], for a new offer: its sitter has something to answer.
pub(super) async fn announce_new(tx: &mut Tx, offer: &Offer, now: Timestamp) -> Result<()> {
    announce_as(tx, offer, "offer.new", now).await
}

async fn announce_as(tx: &mut Tx, offer: &Offer, to_sitter: &str, now: Timestamp) -> Result<()> {
    let data = json!({
        "offerId": offer.id, "bookingId": offer.booking_id, "sitterId": offer.sitter_id, "status": offer.status,
    });
    let topic = format!("sitter:{}", offer.sitter_id);
    stream::append(tx, Some(&offer.org_id), &topic, to_sitter, &data, now).await?;
    stream::append(tx, Some(&offer.org_id), "windows", "offer.changed", &data, now).await
}

fn unfilled(booking: &BookingId) -> String {
    format!("{}:{booking}", ExceptionKind::OfferUnfilled)
}

/// Raises an exception if everybody has turned the booking down.
pub(super) async fn note_unfilled(tx: &mut Tx, held: &Held, now: Timestamp) -> Result<()> {
    if !held.is_unfilled() {
        return Ok(());
    }
    let booking = &held.booking;
    let problem = NewException::new(ExceptionKind::OfferUnfilled, Severity::High, unfilled(&booking.id))
        .title("Every sitter has turned a booking down")
        .org(&booking.org_id)
        .booking(&booking.id)
        .client(&booking.client_id);
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Resolves the exception about a booking that everybody had turned down.
pub(super) async fn no_longer_unfilled(tx: &mut Tx, booking: &BookingId, note: &str, now: Timestamp) -> Result<()> {
    exceptions::resolve(tx, &unfilled(booking), note, now).await
}
