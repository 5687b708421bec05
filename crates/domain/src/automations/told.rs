//! What clients are told about when their booking takes place.
//!
//! Three promises, all kept here: a text leaves only while what it says of its booking is true; the last text about a
//! booking's time states the time that holds; and nobody is told the same time twice in a row. The booking's lock is
//! what makes them hold: a time is changed and a text written only under it, and whoever changes a time takes back, in
//! the same transaction, the texts that have not left.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};

use super::AutomationType;
use super::ledger::Run;
use crate::Result;
use crate::actor::Actor;
use crate::bookings::{Booking, Status};
use crate::ids::{AutomationRunId, BookingId, MessageId};
use crate::messaging::delivery;
use crate::messaging::message::MessageStatus;

/// The reason of a text that was taken back, or not written, because its booking has moved.
pub(crate) const MOVED: &str = "booking_moved";
/// The same for a booking that was cancelled.
pub(crate) const CANCELLED: &str = "booking_cancelled";

/// Texts show whole minutes.
const SHOWN: Duration = Duration::from_secs(60);

/// The start of a booking that a text states.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stated {
    /// The start.
    pub start_at: Timestamp,
    /// The booking's version with it, which orders texts even when the clock was set back.
    pub version: i64,
}

impl Stated {
    /// What a text of this kind states about its booking; none when it states nothing that may still change.
    pub(super) fn by(kind: AutomationType, booking: Option<&Booking>) -> Option<Self> {
        let booking = booking.filter(|_| states_time(kind))?;
        Some(Self { start_at: booking.start_at, version: booking.version })
    }
}

/// Whether texts of this kind say when a booking takes place.
pub(super) const fn states_time(kind: AutomationType) -> bool {
    matches!(
        kind,
        AutomationType::BookingConfirmation | AutomationType::BookingReminder | AutomationType::BookingRescheduled
    )
}

/// Whether a text shows the same date and time for both.
fn shown_alike(a: Timestamp, b: Timestamp) -> bool {
    let minute = |at: Timestamp| at.unix_ms().div_euclid(i64::try_from(SHOWN.as_millis()).unwrap_or(i64::MAX));
    minute(a) == minute(b)
}

/// Whether nothing is left to tell: the last text about the booking's time states the present one, or a confirmation
/// that is not written yet will. Texts that were refused or not delivered told nobody anything.
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

/// Whether every confirmation of the booking was taken back because the booking had moved: then the client knows of no
/// booking yet, and hears of a confirmed one rather than of one that has moved.
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

/// Whether a run tells of a move: its cause is a version of the booking.
pub(super) fn tells_of_move(run: &Run) -> bool {
    run.kind != AutomationType::BookingReminder
        && run.trigger_ref.rsplit_once(":v").is_some_and(|(_, version)| version.parse::<i64>().is_ok())
}

/// Takes back the texts that have not left and say what is no longer true of the booking, which this transaction holds
/// and has just changed. Texts under way are locked too: one that comes back unsent is looked at again then.
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
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Returned {
    states_start_at: Option<Timestamp>,
    start_at: Timestamp,
    status: Status,
    followed: bool,
}

/// Why a text that comes back unsent may not be tried again: what it says of its booking is no longer true, or a later
/// text has told the client more. The caller holds the text.
pub(crate) async fn outdated(tx: &mut Tx, run: &AutomationRunId) -> Result<Option<&'static str>> {
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

/// Texts about moves that wait to leave and repeat the text before them, as happens when the one between them is taken
/// back. `run` is any run about the booking.
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
