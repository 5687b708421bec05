//! What clients have been told about the time of their booking.
//!
//! This file keeps three promises together with [`stated`](super::stated): a text is sent only while its statements
//! about its booking are true; the last text about a booking's time states the current time; and no client is told the
//! same time twice in a row. The promises rest on the booking's lock: a time is changed and a text written only under
//! it, and a change of the time takes back the unsent texts in the same transaction.

use nightshift_db::{Timestamp, Tx};

use super::AutomationType;
use super::runs::AutomationRun;
use super::stated::{CANCELLED, MOVED, shown_alike};
use super::untrue::untrue;
use crate::Result;
use crate::actor::Actor;
use crate::bookings::{Booking, Status};
use crate::ids::{AutomationRunId, BookingId, MessageId};
use crate::messaging::delivery;

/// Returns whether the client needs no text about the booking's time: the last one states the current time, or a
/// confirmation that is not written yet will. Texts that were rejected or not delivered don't count.
pub(super) async fn is_told(tx: &mut Tx, booking: &Booking, run: &AutomationRunId) -> Result<bool> {
    let last: Option<(Option<Timestamp>,)> = tx
        .query(
            "SELECT r.states_start_at FROM automation_runs r JOIN message_events e ON e.id = r.message_event_id
             WHERE r.booking_id = $1 AND r.type IN ('bookingConfirmation', 'bookingReminder', 'bookingRescheduled')
               AND e.status NOT IN ('failed', 'undelivered')
             ORDER BY r.states_version IS NULL DESC, r.states_version DESC LIMIT 1",
        )
        .bind(&booking.id)
        .optional()
        .await?;
    if last.and_then(|(stated,)| stated).is_some_and(|stated| shown_alike(stated, booking.start_at)) {
        return Ok(true);
    }
    let will_be = tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM automation_runs r
                            JOIN automations a ON a.org_id = r.org_id AND a.type = r.type AND a.enabled
                            WHERE r.booking_id = $1 AND r.type = 'bookingConfirmation' AND r.id <> $2
                              AND r.status IN ('pending', 'blocked') AND r.message_event_id IS NULL)",
        )
        .bind(&booking.id)
        .bind(run)
        .scalar()
        .await?;
    Ok(will_be)
}

/// Returns whether every confirmation of the booking was taken back because the booking had moved. The client then
/// knows of no booking yet, and must get a confirmation, not a text about a move.
pub(crate) async fn confirmation_taken_back(tx: &mut Tx, booking: &BookingId) -> Result<bool> {
    let (confirmations, taken_back): (i64, i64) = tx
        .query(
            "SELECT COUNT(*), COUNT(CASE WHEN status = 'skipped' AND error = $2 THEN 1 END)
             FROM automation_runs WHERE booking_id = $1 AND type = 'bookingConfirmation'",
        )
        .bind(booking)
        .bind(MOVED)
        .one()
        .await?;
    Ok(confirmations > 0 && confirmations == taken_back)
}

/// Returns whether a run's text is about a move. Such a run was caused by a version of the booking.
pub(super) fn tells_of_move(run: &AutomationRun) -> bool {
    run.kind != AutomationType::BookingReminder
        && run.trigger_ref.rsplit_once(":v").is_some_and(|(_, version)| version.parse::<i64>().is_ok())
}

/// Takes back the unsent texts whose statements about the booking are no longer true. This transaction holds the
/// booking and has just changed it. Texts that are being sent are locked too: if one of them comes back unsent,
/// [`outdated`](super::untrue::outdated) is checked again.
pub(crate) async fn take_back(tx: &mut Tx, booking: &Booking, by: &Actor, now: Timestamp) -> Result<()> {
    let unsent: Vec<(MessageId, Option<Timestamp>)> = tx
        .query(
            "SELECT e.id, r.states_start_at FROM automation_runs r JOIN message_events e ON e.id = r.message_event_id
             WHERE r.booking_id = $1 AND r.type IN ('bookingConfirmation', 'bookingReminder', 'bookingRescheduled')
               AND e.status IN ('queued', 'sending', 'unconfirmed')
             ORDER BY e.id",
        )
        .bind(&booking.id)
        .all()
        .await?;
    for (text, stated) in unsent {
        if booking.status == Status::Cancelled {
            delivery::take_back(tx, &text, CANCELLED, by, now).await?;
        } else if stated.is_none_or(|stated| !shown_alike(stated, booking.start_at)) {
            delivery::take_back(tx, &text, MOVED, by, now).await?;
        }
    }
    take_back_assignments(tx, booking, by, now).await
}

/// Takes back the unsent texts that tell a sitter of an assignment which is no longer true. This transaction holds the
/// booking and has just changed it.
pub(crate) async fn take_back_assignments(tx: &mut Tx, booking: &Booking, by: &Actor, now: Timestamp) -> Result<()> {
    let unsent: Vec<(MessageId, AutomationRunId)> = tx
        .query(
            "SELECT e.id, r.id FROM automation_runs r JOIN message_events e ON e.id = r.message_event_id
             WHERE r.booking_id = $1 AND r.type = 'sitterAssignment'
               AND e.status IN ('queued', 'sending', 'unconfirmed')
             ORDER BY e.id",
        )
        .bind(&booking.id)
        .all()
        .await?;
    for (text, run) in unsent {
        if let Some(reason) = untrue(tx, &run, now).await? {
            delivery::take_back(tx, &text, reason, by, now).await?;
        }
    }
    Ok(())
}
