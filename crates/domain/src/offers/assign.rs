//! Gives a booking to a sitter, or takes it from one, with its conversation and its window.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::held::Held;
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::bookings;
use crate::confirmation;
use crate::ids::SitterId;
use crate::messaging::threads::Thread;

/// Makes `sitter` the sitter of the booking, its conversation and its window; `None` leaves them without one. The caller
/// holds the locks of the booking and of the conversation, if there is one.
pub(super) async fn assign(
    tx: &mut Tx,
    held: &mut Held,
    thread: Option<&Thread>,
    sitter: Option<&SitterId>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    if held.booking.sitter_id.as_ref() != sitter {
        held.booking.sitter_id = sitter.cloned();
        held.booking = bookings::store(tx, &held.booking, now).await?;
        let facts = json!({"fields": ["sitterId"], "version": held.booking.version});
        audit::record(tx, held.booking.entry(Event::BookingUpdated, by).metadata(facts), now).await?;
    }
    confirmation::hand_over(tx, &held.booking, thread, by, now).await
}
