//! A booking and its offers, locked.

use nightshift_db::{Timestamp, Tx};

use super::lifecycle::{self, Scene};
use super::offer::{self, Offer};
use crate::Result;
use crate::bookings::{self, Booking, Status};
use crate::ids::BookingId;
use crate::messaging::threads::{self, Thread};

pub(super) struct Held {
    pub booking: Booking,
    /// Every offer of the booking, oldest first.
    pub offers: Vec<Offer>,
}

/// Locks a booking and then its offers.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such booking.
pub(super) async fn hold(tx: &mut Tx, id: &BookingId) -> Result<Held> {
    let booking = bookings::lock(tx, id).await?;
    let offers = offer::lock_of_booking(tx, id).await?;
    Ok(Held { booking, offers })
}

/// As [`hold`], and locks the conversation about the booking in between, if there is one.
///
/// # Errors
/// As [`hold`].
pub(super) async fn hold_with_thread(tx: &mut Tx, id: &BookingId) -> Result<(Held, Option<Thread>)> {
    let booking = bookings::lock(tx, id).await?;
    let thread = match threads::of_booking(tx, id).await? {
        Some(thread) => Some(threads::lock(tx, &thread.id).await?),
        None => None,
    };
    let offers = offer::lock_of_booking(tx, id).await?;
    Ok((Held { booking, offers }, thread))
}

impl Held {
    /// What decides about a step that was asked for `at`, and that is taken `now`.
    pub(super) fn scene(&self, at: Timestamp, now: Timestamp) -> Scene<'_> {
        let taken_by = self.booking.sitter_id.as_ref();
        let status = self.booking.status;
        let (open, cancelled) = (!status.is_final(), status == Status::Cancelled);
        let begun = self.booking.start_at <= now;
        Scene { taken_by, open, cancelled, begun, offers: &self.offers, at }
    }

    /// Whether everybody to whom the booking was offered has turned it down.
    pub(super) fn is_unfilled(&self) -> bool {
        let statuses: Vec<_> = self.offers.iter().map(|offer| offer.status).collect();
        lifecycle::is_unfilled(self.booking.sitter_id.as_ref(), !self.booking.status.is_final(), &statuses)
    }

    /// Replaces an offer by its changed row.
    pub(super) fn put(&mut self, changed: &Offer) {
        if let Some(offer) = self.offers.iter_mut().find(|offer| offer.id == changed.id) {
            offer.clone_from(changed);
        }
    }
}
