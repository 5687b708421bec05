//! Offers that end without an answer: expired, withdrawn, or because of what happened to their booking.

use nightshift_db::{Timestamp, Tx};

use super::held::hold;
use super::lifecycle::{Step, outcome};
use super::offer::{Offer, load};
use super::record::{end, note_unfilled};
use super::status::OfferStatus;
use crate::actor::Actor;
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
    let changes = outcome(&held.scene(now, now), &offer, Step::Expire).unwrap_or_default();
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
/// [`Error::NotFound`] if the organisation has no such offer; [`Error::Conflict`] `offer_not_pending` if it has ended
/// otherwise, or its time is over.
pub async fn withdraw(tx: &mut Tx, org: &OrgId, id: &OfferId, by: &Actor, now: Timestamp) -> Result<Withdrawn> {
    let offer = load(tx, id).await?;
    if offer.org_id != *org {
        return Err(Error::NotFound);
    }
    let mut held = hold(tx, &offer.booking_id).await?;
    let mut offer = held.offers.iter().find(|offer| offer.id == *id).cloned().ok_or(Error::NotFound)?;
    for (id, status) in outcome(&held.scene(now, now), &offer, Step::Withdraw)? {
        offer = end(tx, &mut held, &id, status, None, by, now).await?;
    }
    Ok(Withdrawn { offer })
}

/// Withdraws the pending offers of an organisation's sitter who can't accept them any more. A booking that has no other
/// pending offer and no sitter raises an exception. Locks the bookings in the order of their ids. The caller holds the
/// sitter's row, so that no offers are added.
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
        let pending = |offer: &&Offer| offer.id == id && offer.status == OfferStatus::Pending;
        let Some(offer) = held.offers.iter().find(pending) else { continue };
        let status = if offer.expires_at <= now { OfferStatus::Expired } else { OfferStatus::Withdrawn };
        end(tx, &mut held, &id, status, None, by, now).await?;
        note_unfilled(tx, &held, now).await?;
    }
    Ok(())
}
