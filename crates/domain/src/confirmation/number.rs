//! The step that assigns a masking number to a booking's thread, and the later attempt for any thread without one.

use nightshift_db::{Timestamp, Tx};

use super::steps::hold;
use super::to_follow::ToFollow;
use crate::actor::Actor;
use crate::bookings::{self, Booking};
use crate::ids::{BookingId, ThreadId};
use crate::messaging::masking::{self, NumberStep};
use crate::messaging::threads::{self, ThreadStatus};
use crate::{Error, Result};

/// Step 3: ensures that the booking's thread has an active number. A thread keeps its number even if a sitter with a
/// number of their own is assigned later, because the client must not see it change. Does nothing if the booking is
/// cancelled.
///
/// # Errors
/// [`Error::NotFound`] if the thread step has not run.
pub async fn number(tx: &mut Tx, id: &BookingId, by: &Actor, now: Timestamp) -> Result<ToFollow<NumberStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(ToFollow::NOTHING) };
    let thread = threads::of_booking(tx, id).await?.ok_or(Error::NotFound)?;
    masking::give(tx, &thread, id.as_str(), booking.sitter_id.as_ref(), by, now).await.map(ToFollow::from)
}

/// Tries again to assign a number to a thread that has none in service. A thread needs no number if it is closed or its
/// booking is cancelled, and no text waits to be sent in it; the result is empty then.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub async fn assign_number(tx: &mut Tx, thread: &ThreadId, by: &Actor, now: Timestamp) -> Result<ToFollow<NumberStep>> {
    let found: Option<(Option<BookingId>,)> =
        tx.query("SELECT booking_id FROM message_threads WHERE id = $1").bind(thread).optional().await?;
    let (booking,) = found.ok_or(Error::NotFound)?;
    // The booking is locked before its thread, in the order that all code uses.
    let booking: Option<Booking> = match &booking {
        Some(booking) => Some(bookings::lock(tx, booking).await?),
        None => None,
    };
    let thread = threads::lock(tx, thread).await?;
    let cancelled = booking.as_ref().is_some_and(|booking| booking.status == bookings::Status::Cancelled);
    let is_over = thread.status == ThreadStatus::Closed || cancelled;
    if is_over && !masking::has_something_to_say(tx, &thread.id).await? {
        masking::needs_none(tx, &thread.id, now).await?;
        return Ok(ToFollow::NOTHING);
    }
    let (order, sitter) = match &booking {
        Some(booking) => (booking.id.as_str(), booking.sitter_id.as_ref()),
        None => (thread.id.as_str(), thread.assigned_sitter_id.as_ref()),
    };
    masking::give(tx, &thread, order, sitter, by, now).await.map(ToFollow::from)
}
