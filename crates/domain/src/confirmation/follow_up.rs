//! What follows when a confirmed booking changes, or when a booking is confirmed: reminders, windows and texts to the
//! client.
//!
//! Like the steps of the confirmation, these functions read the current state and may run again.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};

use super::steps::{delay, record_window, tell_who_left};
use super::to_follow::ToFollow;
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::runs::{self, NewAutomationRun, RunToStart, RunsToStart};
use crate::automations::{self, AutomationType};
use crate::bookings::{self, Booking, Status, StatusRecord};
use crate::ids::{BookingId, ThreadId};
use crate::messaging::message::MessageStatus;
use crate::messaging::threads::{self, Thread, ThreadStatus};
use crate::messaging::windows::{self, WindowChange};

/// How long before its start a booking's reminder is sent.
const REMINDER_LEAD: Duration = Duration::from_secs(24 * 3600);
/// How long a conversation stays open after its booking was completed.
const THREAD_STAYS_OPEN: Duration = Duration::from_secs(7 * 24 * 3600);

/// After a booking was confirmed: schedules its reminder, if it starts more than a day from now.
pub async fn confirmed(tx: &mut Tx, record: &StatusRecord, by: &Actor, now: Timestamp) -> Result<RunsToStart> {
    let booking = bookings::lock(tx, &record.booking_id).await?;
    remind(tx, &booking, by, now).await.map(RunsToStart::from)
}

/// After a booking was cancelled: closes its window, skips texts that are not written yet, and notifies the client if
/// the booking had been confirmed.
pub async fn cancelled(tx: &mut Tx, record: &StatusRecord, by: &Actor, now: Timestamp) -> Result<RunsToStart> {
    let booking = bookings::lock(tx, &record.booking_id).await?;
    if let Some(window) = windows::cancel(tx, &booking.id, now).await? {
        record_window(tx, &booking, &window, WindowChange::Updated, by, now).await?;
    }
    for kind in
        [AutomationType::BookingReminder, AutomationType::BookingConfirmation, AutomationType::BookingRescheduled]
    {
        runs::skip_unwritten(tx, &booking.id, kind, None, automations::CANCELLED, by, now).await?;
    }
    if !matches!(record.from_status, Some(Status::Confirmed | Status::InProgress)) {
        return Ok(RunsToStart::default());
    }
    let trigger_ref = format!("booking:{}:cancelled", booking.id);
    tell(tx, &booking, AutomationType::BookingCancelled, trigger_ref, now).await.map(RunsToStart::from)
}

/// After a booking's time was changed in `version`: updates the window, moves the reminder and notifies the client,
/// unless the last text stated the same time. A sitter whose text about the assignment was taken back because of the
/// move gets another one. Does nothing else for a booking that is not confirmed, because its confirmation will use the
/// new time.
pub async fn rescheduled(
    tx: &mut Tx,
    id: &BookingId,
    version: i64,
    grace: Duration,
    by: &Actor,
    now: Timestamp,
) -> Result<RunsToStart> {
    let booking = bookings::lock(tx, id).await?;
    let sitter_told = tell_sitter_again(tx, &booking, version, now).await?;
    if !matches!(booking.status, Status::Confirmed | Status::InProgress) {
        return Ok(sitter_told.into());
    }
    let Some(thread) = threads::of_booking(tx, id).await? else {
        return Ok(sitter_told.into());
    };
    let (window, change, left) = windows::upsert(tx, &booking, Some(&thread.id), grace, now).await?;
    record_window(tx, &booking, &window, change, by, now).await?;
    tell_who_left(tx, &window, left, now).await?;
    let reminder = remind(tx, &booking, by, now).await?;
    let word = tell_of_move(tx, &booking, version, by, now).await?;
    Ok(sitter_told.into_iter().chain(reminder).chain(word).collect())
}

/// Inserts the run of the text about a move. It replaces the unwritten texts about earlier moves. A client whose
/// confirmation was taken back because of the move gets a confirmation instead. Whether the text is still needed is
/// decided when it is written.
async fn tell_of_move(
    tx: &mut Tx,
    booking: &Booking,
    version: i64,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<RunToStart>> {
    let kind = if automations::confirmation_taken_back(tx, &booking.id).await? {
        AutomationType::BookingConfirmation
    } else {
        AutomationType::BookingRescheduled
    };
    let trigger_ref = format!("booking:{}:v{version}", booking.id);
    let started = tell(tx, booking, kind, trigger_ref.clone(), now).await?;
    if started.is_some() {
        let (kind, keep) = (AutomationType::BookingRescheduled, Some(trigger_ref.as_str()));
        runs::skip_unwritten(tx, &booking.id, kind, keep, automations::MOVED, by, now).await?;
    }
    Ok(started)
}

/// Inserts the run of another text about the sitter's assignment, if a move has taken back the last one or may still,
/// because it is being sent. A sitter who was told the time of before is told of the move by nobody but a person.
async fn tell_sitter_again(tx: &mut Tx, booking: &Booking, version: i64, now: Timestamp) -> Result<Option<RunToStart>> {
    let kind = AutomationType::SitterAssignment;
    let Some(sitter) = booking.sitter_id.as_ref().filter(|_| !booking.status.is_final()) else { return Ok(None) };
    let last: Option<(Option<String>, Option<MessageStatus>, Option<Timestamp>)> = tx
        .query(
            "SELECT r.error, e.status, r.states_start_at FROM automation_runs r LEFT JOIN message_events e ON e.id = r.message_event_id
             WHERE r.booking_id = $1 AND r.sitter_id = $2 AND r.type = $3 ORDER BY r.created_at DESC, r.id DESC LIMIT 1",
        )
        .bind(&booking.id)
        .bind(sitter)
        .bind(kind)
        .optional()
        .await?;
    let Some((error, text, stated)) = last else { return Ok(None) };
    // Written after the move, it states what holds.
    let is_true = stated.is_some_and(|stated| automations::shown_alike(stated, booking.start_at));
    let in_the_air = !is_true && matches!(text, Some(MessageStatus::Sending | MessageStatus::Unconfirmed));
    if error.as_deref() != Some(automations::MOVED) && !in_the_air {
        return Ok(None);
    }
    let new = NewAutomationRun {
        client_id: None,
        sitter_id: Some(sitter),
        // Not `:v`, which is about a client's text.
        ..new_run(booking, None, kind, format!("booking:{}:assigned:{version}", booking.id), None)
    };
    let (run, created) = runs::insert(tx, &new, now).await?;
    Ok(run.to_start().filter(|_| created))
}

/// A conversation to be closed later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue `thread.close` for it"]
pub struct CloseThread {
    pub thread_id: ThreadId,
    pub at: Timestamp,
}

/// After a booking was completed: its conversation stays open for a week. The result is empty if there is no
/// conversation to close.
pub async fn completed(tx: &mut Tx, record: &StatusRecord) -> Result<ToFollow<CloseThread>> {
    let thread = threads::of_booking(tx, &record.booking_id).await?;
    let close = thread
        .filter(|thread| thread.status == ThreadStatus::Open)
        .map(|thread| CloseThread { thread_id: thread.id, at: record.changed_at + THREAD_STAYS_OPEN });
    Ok(close.into())
}

/// Closes a conversation. A closed conversation stays unchanged.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such conversation.
pub async fn close_thread(tx: &mut Tx, id: &ThreadId, by: &Actor, now: Timestamp) -> Result<()> {
    let thread = threads::lock(tx, id).await?;
    if thread.status == ThreadStatus::Closed {
        return Ok(());
    }
    threads::set_status(tx, id, ThreadStatus::Closed, now).await?;
    threads::announce(tx, &thread, None, now).await?;
    audit::record(tx, thread.entry(Event::ThreadClosed, "success", by), now).await
}

/// Schedules the reminder for the booking's current start and skips the reminders for other starts.
async fn remind(tx: &mut Tx, booking: &Booking, by: &Actor, now: Timestamp) -> Result<Option<RunToStart>> {
    let due = booking.start_at - REMINDER_LEAD;
    let wanted = matches!(booking.status, Status::Confirmed | Status::InProgress) && due > now;
    let trigger_ref = format!("booking:{}:reminder:{}", booking.id, booking.start_at.unix_ms());
    let keep = wanted.then_some(trigger_ref.as_str());
    let kind = AutomationType::BookingReminder;
    runs::skip_unwritten(tx, &booking.id, kind, keep, automations::MOVED, by, now).await?;
    if !wanted {
        return Ok(None);
    }
    let thread = threads::of_booking(tx, &booking.id).await?;
    let new = new_run(booking, thread.as_ref(), kind, trigger_ref, Some(due));
    let (run, created) = runs::insert(tx, &new, now).await?;
    if created {
        return Ok(run.to_start());
    }
    // The booking was moved to another time and back again.
    Ok(runs::reopen_skipped(tx, &run.id, now).await?.and_then(|run| run.to_start()))
}

/// Inserts the run of a text about the booking, due after the automation's delay.
async fn tell(
    tx: &mut Tx,
    booking: &Booking,
    kind: AutomationType,
    trigger_ref: String,
    now: Timestamp,
) -> Result<Option<RunToStart>> {
    let thread = threads::of_booking(tx, &booking.id).await?;
    let due = delay(tx, booking, kind, now).await?;
    let (run, created) = runs::insert(tx, &new_run(booking, thread.as_ref(), kind, trigger_ref, due), now).await?;
    Ok(run.to_start().filter(|_| created))
}

fn new_run<'a>(
    booking: &'a Booking,
    thread: Option<&'a Thread>,
    kind: AutomationType,
    trigger_ref: String,
    scheduled_for: Option<Timestamp>,
) -> NewAutomationRun<'a> {
    NewAutomationRun {
        org_id: &booking.org_id,
        kind,
        trigger_ref,
        booking_id: Some(&booking.id),
        thread_id: thread.map(|thread| &thread.id),
        client_id: Some(&booking.client_id),
        sitter_id: None,
        scheduled_for,
        blocked: thread.is_some_and(|thread| thread.message_number_id.is_none()),
        variables: None,
    }
}
