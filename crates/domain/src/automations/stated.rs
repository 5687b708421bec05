//! What a text states about the time of its booking, and when that is outdated.
//!
//! These functions only read. The code that takes texts back calls them.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};

use super::AutomationType;
use crate::Result;
use crate::bookings::{Booking, Status};
use crate::ids::{AutomationRunId, MessageId};
use crate::messaging::message::MessageStatus;

/// The reason of a text that was taken back, or not written, because its booking has moved.
pub(crate) const MOVED: &str = "booking_moved";
/// The reason of a text that was taken back, or not written, because its booking was cancelled.
pub(crate) const CANCELLED: &str = "booking_cancelled";

/// Texts show times to the minute.
const SHOWN: Duration = Duration::from_secs(60);

/// The start of a booking that a text states.
#[derive(Debug, Clone, Copy)]
pub(in crate::automations) struct Stated {
    pub start_at: Timestamp,
    /// The booking's version with this start. It orders texts even if the clock was set back.
    pub version: i64,
}

impl Stated {
    /// Returns what a text of this type states about its booking, or `None` if it states nothing that can change.
    pub(in crate::automations) fn by(kind: AutomationType, booking: Option<&Booking>) -> Option<Self> {
        let booking = booking.filter(|_| states_time(kind))?;
        Some(Self { start_at: booking.start_at, version: booking.version })
    }
}

/// Returns whether texts of this type state when a booking takes place.
pub(in crate::automations) const fn states_time(kind: AutomationType) -> bool {
    matches!(
        kind,
        AutomationType::BookingConfirmation
            | AutomationType::BookingReminder
            | AutomationType::BookingRescheduled
            | AutomationType::SitterAssignment
            | AutomationType::OfferNotification
    )
}

/// Returns whether texts show both moments as the same date and time.
pub(crate) fn shown_alike(a: Timestamp, b: Timestamp) -> bool {
    let minute = |at: Timestamp| at.unix_ms().div_euclid(i64::try_from(SHOWN.as_millis()).unwrap_or(i64::MAX));
    minute(a) == minute(b)
}

#[derive(sqlx::FromRow)]
struct Returned {
    states_start_at: Option<Timestamp>,
    start_at: Timestamp,
    status: Status,
    followed: bool,
}

/// Returns why a text to a client that came back unsent may not be sent again: its statement about the booking is no
/// longer true, or a later text has told the client the current state. Returns `None` if it may be sent. The caller
/// holds the text.
pub(in crate::automations) async fn outdated(tx: &mut Tx, run: &AutomationRunId) -> Result<Option<&'static str>> {
    let returned: Option<Returned> = tx
        .query(
            "SELECT r.states_start_at, b.start_at, b.status,
                    EXISTS (SELECT 1 FROM automation_runs o JOIN message_events e ON e.id = o.message_event_id
                            WHERE o.booking_id = r.booking_id AND o.states_version > r.states_version
                              AND o.type IN ('bookingConfirmation', 'bookingRescheduled')
                              AND e.status NOT IN ('failed', 'undelivered')) AS followed
             FROM automation_runs r JOIN bookings b ON b.id = r.booking_id
             WHERE r.id = $1 AND r.type IN ('bookingConfirmation', 'bookingReminder', 'bookingRescheduled')",
        )
        .bind(run)
        .optional()
        .await?;
    let Some(returned) = returned else { return Ok(None) };
    if returned.status == Status::Cancelled {
        return Ok(Some(CANCELLED));
    }
    let moved = returned.states_start_at.is_some_and(|stated| !shown_alike(stated, returned.start_at));
    Ok((moved || returned.followed).then_some(MOVED))
}

#[derive(sqlx::FromRow)]
struct Line {
    id: MessageId,
    #[sqlx(rename = "type")]
    kind: AutomationType,
    status: MessageStatus,
    states_start_at: Option<Timestamp>,
}

/// Returns the queued texts about moves that repeat the text before them. This happens if the text between the two
/// is taken back. `run` is any run about the booking.
pub(crate) async fn repeated(tx: &mut Tx, run: &AutomationRunId) -> Result<Vec<MessageId>> {
    let told: Vec<Line> = tx
        .query(
            "SELECT e.id, r.type, e.status, r.states_start_at
             FROM automation_runs r JOIN message_events e ON e.id = r.message_event_id
             WHERE r.booking_id = (SELECT booking_id FROM automation_runs WHERE id = $1)
               AND r.type IN ('bookingConfirmation', 'bookingReminder', 'bookingRescheduled')
               AND e.status NOT IN ('failed', 'undelivered') AND r.states_version IS NOT NULL
             ORDER BY r.states_version, e.id",
        )
        .bind(run)
        .all()
        .await?;
    let pairs = told.iter().zip(told.iter().skip(1));
    Ok(pairs
        .filter(|(before, text)| {
            let same = before.states_start_at.zip(text.states_start_at).is_some_and(|(a, b)| shown_alike(a, b));
            same && text.kind == AutomationType::BookingRescheduled && text.status == MessageStatus::Queued
        })
        .map(|(_, text)| text.id.clone())
        .collect())
}
