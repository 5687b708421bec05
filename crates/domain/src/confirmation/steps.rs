//! The steps of the confirmation but the choice of the number.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use serde_json::{Value, json};

use super::to_follow::ToFollow;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::ledger::{self, NewRun, RunStatus, RunToStart};
use crate::automations::{self, AutomationType};
use crate::bookings::{self, Booking, Status};
use crate::ids::{AutomationRunId, BookingId, ThreadId, WindowId};
use crate::messaging::masking::AssignedNumber;
use crate::messaging::threads;
use crate::messaging::windows::{self, Window, WindowChange};
use crate::stream;
use crate::{Error, Result};

/// Whether a booking can be worked on.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// It can.
    Ready(Box<Booking>),
    /// There is nothing to do any more; the reason.
    Skip(&'static str),
    /// It never can, as the reason says; on record. Commit, then give the job up.
    Broken(&'static str),
}

/// Step 1: looks whether the booking, its client and its organisation are there and it still is to be confirmed.
///
/// # Errors
/// When the database refuses.
pub async fn load(tx: &mut Tx, id: &BookingId, by: &Actor, now: Timestamp) -> Result<Loaded> {
    let booking = match bookings::lock(tx, id).await {
        Ok(booking) => booking,
        Err(Error::NotFound) => {
            fail(tx, id, "the booking does not exist", by, now).await?;
            return Ok(Loaded::Broken("the booking does not exist"));
        }
        Err(error) => return Err(error),
    };
    let (organisation, client): (bool, bool) = tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM organizations WHERE id = $1),
                    EXISTS (SELECT 1 FROM clients WHERE id = $2 AND org_id = $1)",
        )
        .bind(&booking.org_id)
        .bind(&booking.client_id)
        .one()
        .await?;
    let missing = match (organisation, client) {
        (true, true) => None,
        (false, _) => Some("the booking's organisation does not exist"),
        (true, false) => Some("the booking's client does not exist in its organisation"),
    };
    if let Some(reason) = missing {
        fail(tx, id, reason, by, now).await?;
        return Ok(Loaded::Broken(reason));
    }
    Ok(match wanted(booking.status) {
        Ok(()) => Loaded::Ready(Box::new(booking)),
        Err(why) => Loaded::Skip(why),
    })
}

/// Whether a confirmation has something to do for this booking, or why not.
///
/// # Errors
/// When the database refuses.
pub async fn to_be_confirmed(tx: &mut Tx, id: &BookingId) -> Result<std::result::Result<(), &'static str>> {
    match bookings::lock(tx, id).await {
        Ok(booking) => Ok(wanted(booking.status)),
        Err(Error::NotFound) => Ok(Err("the booking does not exist")),
        Err(error) => Err(error),
    }
}

fn wanted(status: Status) -> std::result::Result<(), &'static str> {
    match status {
        Status::Cancelled => Err("the booking was cancelled in the meantime"),
        Status::Pending => Err("the booking is not confirmed"),
        Status::Confirmed | Status::InProgress | Status::Completed => Ok(()),
    }
}

/// Puts on record that a confirmation failed for good.
///
/// # Errors
/// When the database refuses.
pub async fn fail(tx: &mut Tx, id: &BookingId, reason: &str, by: &Actor, now: Timestamp) -> Result<()> {
    let entry = match bookings::lock(tx, id).await {
        Ok(booking) => booking.entry_with(Event::BookingConfirmedFailed, "failed", by),
        Err(Error::NotFound) => {
            crate::audit_entry(Event::BookingConfirmedFailed, "failed", by).booking(id).correlation(id.as_ref())
        }
        Err(error) => return Err(error),
    };
    audit::record(tx, entry.metadata(json!({"correlationId": id, "reason": reason})), now).await
}

/// The booking under its lock; none once it is cancelled.
pub(super) async fn hold(tx: &mut Tx, id: &BookingId) -> Result<Option<Booking>> {
    let booking = bookings::lock(tx, id).await?;
    Ok((booking.status != Status::Cancelled).then_some(booking))
}

/// What the thread step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadStep {
    /// The booking's thread.
    pub thread_id: ThreadId,
    /// Whether it was made now.
    pub created: bool,
}

/// Step 2: the booking has its one thread, and its sitter is the thread's. None when the booking is cancelled.
///
/// # Errors
/// When the database refuses.
pub async fn thread(tx: &mut Tx, id: &BookingId, by: &Actor, now: Timestamp) -> Result<Option<ThreadStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(None) };
    let (thread, created) = threads::find_or_create_for_booking(tx, &booking, now).await?;
    if created {
        audit::record(tx, thread.entry(Event::ThreadCreated, "success", by), now).await?;
        let data = json!({"threadId": thread.id, "bookingId": id, "scope": thread.scope});
        for topic in ["threads".to_owned(), format!("thread:{}", thread.id)] {
            stream::append(tx, Some(&thread.org_id), &topic, "thread.created", &data, now).await?;
        }
    }
    Ok(Some(ThreadStep { thread_id: thread.id, created }))
}

/// What the window step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowStep {
    /// The booking's window.
    pub window_id: WindowId,
    /// Whether it was made, changed or right already.
    pub change: WindowChange,
}

/// Step 4: the booking has its one window, from its start to its end plus `grace`. None when the booking is cancelled.
///
/// # Errors
/// When the database refuses.
pub async fn window(
    tx: &mut Tx,
    id: &BookingId,
    grace: Duration,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<WindowStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(None) };
    let thread = threads::of_booking(tx, id).await?;
    let (window, change) = windows::upsert(tx, &booking, thread.as_ref().map(|thread| &thread.id), grace, now).await?;
    record_window(tx, &booking, &window, change, by, now).await?;
    Ok(Some(WindowStep { window_id: window.id, change }))
}

/// Audit and stream rows of a window that was made or changed.
pub(super) async fn record_window(
    tx: &mut Tx,
    booking: &Booking,
    window: &Window,
    change: WindowChange,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let event = match change {
        WindowChange::Created => Event::WindowCreated,
        WindowChange::Updated => Event::WindowUpdated,
        WindowChange::Unchanged => return Ok(()),
    };
    let mut entry = booking.entry(event, by);
    if let Some(thread) = &window.thread_id {
        entry = entry.thread(thread);
    }
    let times = json!({
        "windowId": window.id,
        "bookingId": booking.id,
        "threadId": window.thread_id,
        "startsAt": window.starts_at,
        "endsAt": window.ends_at,
        "cancelled": window.cancelled_at.is_some(),
    });
    audit::record(tx, entry.metadata(times.clone()), now).await?;
    stream::append(tx, Some(&booking.org_id), "windows", "window.changed", &times, now).await?;
    if let Some(sitter) = &window.sitter_id {
        stream::append(tx, Some(&booking.org_id), &format!("sitter:{sitter}"), "window.changed", &times, now).await?;
    }
    Ok(())
}

/// What the automation step did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: `automation.run` for a row entered now"]
pub struct AutomationStep {
    /// The confirmation's ledger row.
    pub run_id: AutomationRunId,
    /// Whether it was entered now.
    pub created: bool,
    /// Whether it waits for the thread's number.
    pub blocked: bool,
    /// What must follow for a row entered now.
    pub start: Option<RunToStart>,
}

/// Step 5: the confirmation text is in the ledger, once. None when the booking is cancelled.
///
/// # Errors
/// When the database refuses.
pub async fn automation(tx: &mut Tx, id: &BookingId, now: Timestamp) -> Result<ToFollow<AutomationStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(ToFollow::NOTHING) };
    let thread = threads::of_booking(tx, id).await?;
    let blocked = thread.as_ref().is_some_and(|thread| thread.message_number_id.is_none());
    let scheduled_for = delay(tx, &booking, AutomationType::BookingConfirmation, now).await?;
    let new = NewRun {
        org_id: &booking.org_id,
        kind: AutomationType::BookingConfirmation,
        trigger_ref: format!("booking:{id}:confirmed"),
        booking_id: Some(id),
        thread_id: thread.as_ref().map(|thread| &thread.id),
        client_id: Some(&booking.client_id),
        sitter_id: None,
        scheduled_for,
        blocked,
        variables: None,
    };
    let (run, created) = ledger::insert(tx, &new, now).await?;
    let start = run.to_start().filter(|_| created);
    Ok(AutomationStep { blocked: run.status == RunStatus::Blocked, run_id: run.id, created, start }.into())
}

/// When an automation with a delay is due; none for at once.
pub(super) async fn delay(
    tx: &mut Tx,
    booking: &Booking,
    kind: AutomationType,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let minutes = automations::load(tx, &booking.org_id, kind).await?.map_or(0, |automation| automation.delay_minutes);
    let seconds = u64::try_from(minutes).unwrap_or(0).saturating_mul(60);
    Ok((seconds > 0).then(|| now + Duration::from_secs(seconds)))
}

/// What all steps together did, for the record.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Of the thread step.
    pub thread: ThreadStep,
    /// The thread's number, if it has one.
    pub number: Option<AssignedNumber>,
    /// Of the window step.
    pub window: WindowStep,
    /// Of the automation step.
    pub automation: AutomationStep,
}

/// Step 6: puts the run on record, every run, so that repeats are visible while what they made stays single.
///
/// # Errors
/// [`Error::NotFound`] when the booking is gone.
pub async fn audit(tx: &mut Tx, id: &BookingId, outcome: &Outcome, by: &Actor, now: Timestamp) -> Result<()> {
    let booking = bookings::lock(tx, id).await?;
    let metadata: Value = json!({
        "correlationId": id,
        "threadId": outcome.thread.thread_id,
        "messageNumberId": outcome.number.as_ref().map(|number| &number.number_id),
        "numberClass": outcome.number.as_ref().map(|number| number.class),
        "windowId": outcome.window.window_id,
        "automationRunId": outcome.automation.run_id,
        "created": {
            "thread": outcome.thread.created,
            "window": outcome.window.change == WindowChange::Created,
            "automation": outcome.automation.created,
        },
    });
    let entry = booking.entry(Event::BookingConfirmedProcessed, by).thread(&outcome.thread.thread_id);
    audit::record(tx, entry.metadata(metadata), now).await
}
