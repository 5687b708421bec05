//! What a change of a booking means for its offers, in one place: they end with it, or when it has a sitter, and change
//! with its time.

use nightshift_db::{Timestamp, Tx};

use super::held::hold;
use super::notify::tell_anew;
use super::offer::Offer;
use super::record::{announce, end, no_longer_unfilled};
use super::status::OfferStatus;
use crate::Result;
use crate::actor::Actor;
use crate::automations::runs::{RunToStart, RunsToStart};
use crate::bookings::Booking;
use crate::ids::SitterId;

/// What a change of a booking did to its offers.
#[derive(Debug, Clone, Default)]
#[must_use = "enqueue what follows: `offer.expire` for each shortened offer, `automation.run`, and
              `metrics.sitter_window`"]
pub struct Followed {
    /// Offers that expire earlier than before.
    pub shortened: Vec<Offer>,
    /// Texts that replace unsent ones.
    pub runs: RunsToStart,
    /// Sitters with an overdue offer that expired now, whose figures change.
    pub expired: Vec<SitterId>,
}

/// What becomes of a pending offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ends(OfferStatus),
    /// It expires when its booking starts, which is earlier than before.
    Shortened,
    Stays,
    /// Its time is over, which is about to be recorded. Nobody is told of it any more.
    Overdue,
}

/// Decides what becomes of a pending offer of a booking.
fn fate(booking: &Booking, offer: &Offer, now: Timestamp) -> Fate {
    let ends = booking.status.is_final() || booking.sitter_id.is_some();
    match &booking.sitter_id {
        // Its time was over before the booking changed. Otherwise it stays for the job that ends it.
        _ if offer.expires_at <= now => {
            if ends {
                Fate::Ends(OfferStatus::Expired)
            } else {
                Fate::Overdue
            }
        }
        _ if booking.status.is_final() => Fate::Ends(OfferStatus::Withdrawn),
        // The sitter who has the booking now did not lose it.
        Some(sitter) if *sitter == offer.sitter_id => Fate::Ends(OfferStatus::Withdrawn),
        Some(_) => Fate::Ends(OfferStatus::Superseded),
        None if offer.expires_at > booking.start_at => Fate::Shortened,
        None => Fate::Stays,
    }
}

/// After a booking was changed, which this transaction has locked: its pending offers are withdrawn if it was cancelled or
/// completed, and end if it has a sitter now. None of them lasts longer than until its start, and none is told with a
/// start or an end that does not hold.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such booking.
pub async fn booking_changed(tx: &mut Tx, booking: &Booking, by: &Actor, now: Timestamp) -> Result<Followed> {
    if booking.status.is_final() {
        no_longer_unfilled(tx, &booking.id, "the booking has ended", now).await?;
    } else if booking.sitter_id.is_some() {
        no_longer_unfilled(tx, &booking.id, "the booking has a sitter", now).await?;
    }
    let offered: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM offer_events WHERE booking_id = $1 AND status = 'pending')")
        .bind(&booking.id)
        .scalar()
        .await?;
    if !offered {
        return Ok(Followed::default());
    }
    let mut held = hold(tx, &booking.id).await?;
    let pending: Vec<Offer> =
        held.offers.iter().filter(|offer| offer.status == OfferStatus::Pending).cloned().collect();
    let (mut shortened, mut runs, mut expired) = (Vec::new(), Vec::<RunToStart>::new(), Vec::new());
    for mut offer in pending {
        match fate(booking, &offer, now) {
            Fate::Ends(status) => {
                end(tx, &mut held, &offer.id, status, None, by, now).await?;
                if status == OfferStatus::Expired {
                    expired.push(offer.sitter_id);
                }
                continue;
            }
            Fate::Overdue => continue,
            Fate::Shortened => {
                shorten(tx, &mut offer, booking.start_at, now).await?;
                shortened.push(offer.clone());
            }
            Fate::Stays => {}
        }
        runs.extend(tell_anew(tx, booking, &offer, by, now).await?);
    }
    Ok(Followed { shortened, runs: runs.into_iter().collect(), expired })
}

async fn shorten(tx: &mut Tx, offer: &mut Offer, expires_at: Timestamp, now: Timestamp) -> Result<()> {
    tx.query("UPDATE offer_events SET expires_at = $2, updated_at = $3 WHERE id = $1 AND status = 'pending'")
        .bind(&offer.id)
        .bind(expires_at)
        .bind(now)
        .execute()
        .await?;
    offer.expires_at = expires_at;
    announce(tx, offer, now).await
}
