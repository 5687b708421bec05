//! Offers that end without an answer: expired, withdrawn, or because of what happened to their booking.

use nightshift_db::{Timestamp, Tx};

use super::held::hold;
use super::lifecycle::{Step, outcome};
use super::offer::{Offer, load};
use super::record::{announce, end, no_longer_unfilled, note_unfilled};
use super::status::OfferStatus;
use crate::actor::Actor;
use crate::bookings::Booking;
use crate::ids::{BookingId, OfferId, OrgId, SitterId};
use crate::{Error, Result};

/// What became of an offer whose time was said to be over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: `metrics.sitter_window`, or `offer.expire` later"]
pub enum Expiry {
    /// It expired now. The sitter's figures change.
    Expired(SitterId),
    /// It is pending until this time.
    Later(Timestamp),
    /// It had ended.
    Ended,
}

/// Ends an offer whose time is over. If it was the last one of a booking without a sitter, an exception is raised.
///
/// # Errors
/// [`Error::NotFound`] if there is no such offer.
pub async fn expire(tx: &mut Tx, id: &OfferId, by: &Actor, now: Timestamp) -> Result<Expiry> {
    let booking = load(tx, id).await?.booking_id;
    let mut held = hold(tx, &booking).await?;
    let offer = held.offers.iter().find(|offer| offer.id == *id).cloned().ok_or(Error::NotFound)?;
    let changes = outcome(&held.scene(now), &offer, Step::Expire).unwrap_or_default();
    if changes.is_empty() {
        let is_pending = offer.status == OfferStatus::Pending;
        return Ok(if is_pending { Expiry::Later(offer.expires_at) } else { Expiry::Ended });
    }
    for (id, status) in changes {
        end(tx, &mut held, &id, status, None, by, now).await?;
    }
    note_unfilled(tx, &held, now).await?;
    Ok(Expiry::Expired(offer.sitter_id))
}

/// An offer that a person took back.
#[derive(Debug, Clone)]
pub struct Withdrawn {
    pub offer: Offer,
}

/// Takes an offer back. A withdrawn offer stays unchanged.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such offer; [`Error::Conflict`] `offer_not_pending` or `booking_taken`
/// if it has ended otherwise.
pub async fn withdraw(tx: &mut Tx, org: &OrgId, id: &OfferId, by: &Actor, now: Timestamp) -> Result<Withdrawn> {
    let offer = load(tx, id).await?;
    if offer.org_id != *org {
        return Err(Error::NotFound);
    }
    let mut held = hold(tx, &offer.booking_id).await?;
    let mut offer = held.offers.iter().find(|offer| offer.id == *id).cloned().ok_or(Error::NotFound)?;
    for (id, status) in outcome(&held.scene(now), &offer, Step::Withdraw)? {
        offer = end(tx, &mut held, &id, status, None, by, now).await?;
    }
    Ok(Withdrawn { offer })
}

/// Withdraws the pending offers of a booking that was cancelled or completed.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking.
pub async fn booking_closed(tx: &mut Tx, booking: &BookingId, by: &Actor, now: Timestamp) -> Result<()> {
    let mut held = hold(tx, booking).await?;
    for offer in pending(&held.offers) {
        end(tx, &mut held, &offer.id, OfferStatus::Withdrawn, None, by, now).await?;
    }
    no_longer_unfilled(tx, booking, "the booking has ended", now).await
}

/// Withdraws the pending offers of an organisation's sitter who can't accept them any more. A booking that has no other
/// pending offer and no sitter raises an exception. Locks the bookings in the order of their ids.
pub async fn sitter_left(tx: &mut Tx, org: &OrgId, sitter: &SitterId, by: &Actor, now: Timestamp) -> Result<()> {
    let offers: Vec<(OfferId, BookingId)> = tx
        .query(
            "SELECT id, booking_id FROM offer_events WHERE org_id = $1 AND sitter_id = $2 AND status = 'pending'
             ORDER BY booking_id",
        )
        .bind(org)
        .bind(sitter)
        .all()
        .await?;
    for (id, booking) in offers {
        let mut held = hold(tx, &booking).await?;
        if pending(&held.offers).iter().any(|offer| offer.id == id) {
            end(tx, &mut held, &id, OfferStatus::Withdrawn, None, by, now).await?;
            note_unfilled(tx, &held, now).await?;
        }
    }
    Ok(())
}

fn pending(offers: &[Offer]) -> Vec<Offer> {
    offers.iter().filter(|offer| offer.status == OfferStatus::Pending).cloned().collect()
}

/// After a booking was changed, which this transaction has locked: its pending offers end if it has a sitter now, and
/// none of them lasts longer than until its start. Returns the offers that expire earlier than before.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking.
pub async fn booking_changed(tx: &mut Tx, booking: &Booking, by: &Actor, now: Timestamp) -> Result<Vec<Offer>> {
    let offered: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM offer_events WHERE booking_id = $1 AND status = 'pending')")
        .bind(&booking.id)
        .scalar()
        .await?;
    if !offered {
        if booking.sitter_id.is_some() {
            no_longer_unfilled(tx, &booking.id, "the booking has a sitter", now).await?;
        }
        return Ok(Vec::new());
    }
    let mut held = hold(tx, &booking.id).await?;
    if let Some(assigned) = &booking.sitter_id {
        for offer in pending(&held.offers) {
            // The sitter who has the booking now did not lose it.
            let lost = offer.sitter_id != *assigned;
            let status = if lost { OfferStatus::Superseded } else { OfferStatus::Withdrawn };
            end(tx, &mut held, &offer.id, status, None, by, now).await?;
        }
        return Ok(Vec::new());
    }
    let is_shortened = |offer: &&mut Offer| offer.status == OfferStatus::Pending && offer.expires_at > booking.start_at;
    let mut shortened = Vec::new();
    for offer in held.offers.iter_mut().filter(is_shortened) {
        tx.query("UPDATE offer_events SET expires_at = $2, updated_at = $3 WHERE id = $1 AND status = 'pending'")
            .bind(&offer.id)
            .bind(booking.start_at)
            .bind(now)
            .execute()
            .await?;
        offer.expires_at = booking.start_at;
        announce(tx, offer, now).await?;
        shortened.push(offer.clone());
    }
    Ok(shortened)
}
