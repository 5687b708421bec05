//! The steps of the confirmation, except the assignment of the number.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use serde_json::{Value, json};

use super::to_follow::ToFollow;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::runs::{self, AutomationRunStatus, NewAutomationRun, RunToStart};
use crate::automations::{self, AutomationType};
use crate::bookings::{self, Booking, Status};
use crate::ids::{AutomationRunId, BookingId, SitterId, ThreadId, WindowId};
use crate::messaging::beginning;
use crate::messaging::masking::AssignedNumber;
use crate::messaging::threads::{self, Thread};
use crate::messaging::windows::{self, Window, WindowChange};
use crate::stream;
use crate::{Error, Result};

/// The result of the first step.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// The booking exists and is to be confirmed.
    Ready(Box<Booking>),
    /// There is nothing to do, for this reason.
    Skip(&'static str),
    /// The booking can never be confirmed, for this reason, which the audit log records. Commit, then give the job up.
    Broken(&'static str),
}

/// Step 1: checks that the booking, its client and its organisation exist and that it is still to be confirmed.
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

/// Returns `Ok` if a confirmation has something to do for this booking, or the reason why not.
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

/// Records in the audit log that a confirmation failed permanently.
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

/// Locks the booking. Returns `None` if it is cancelled.
pub(super) async fn hold(tx: &mut Tx, id: &BookingId) -> Result<Option<Booking>> {
    let booking = bookings::lock(tx, id).await?;
    Ok((booking.status != Status::Cancelled).then_some(booking))
}

/// What the thread step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadStep {
    pub thread_id: ThreadId,
    /// Whether the thread was created by this step.
    pub created: bool,
}

/// Step 2: ensures that the booking has one thread and that its sitter is assigned to the thread. Returns `None` if the
/// booking is cancelled.
pub async fn thread(tx: &mut Tx, id: &BookingId, by: &Actor, now: Timestamp) -> Result<Option<ThreadStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(None) };
    let (thread, created) = threads::find_or_create_for_booking(tx, &booking, now).await?;
    if created {
        beginning::record(tx, &thread, None, by, now).await?;
    }
    Ok(Some(ThreadStep { thread_id: thread.id, created }))
}

/// What the window step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowStep {
    pub window_id: WindowId,
    pub change: WindowChange,
}

/// Step 4: ensures that the booking has one window, from its start to its end plus `grace`. Returns `None` if the
/// booking is cancelled.
pub async fn window(
    tx: &mut Tx,
    id: &BookingId,
    grace: Duration,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<WindowStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(None) };
    let thread = threads::of_booking(tx, id).await?;
    let (window, change, left) =
        windows::upsert(tx, &booking, thread.as_ref().map(|thread| &thread.id), grace, now).await?;
    record_window(tx, &booking, &window, change, by, now).await?;
    tell_who_left(tx, &window, left, now).await?;
    Ok(Some(WindowStep { window_id: window.id, change }))
}

/// Writes the audit entry and the live updates of a window that was created or changed.
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
    audit::record(tx, entry.metadata(facts(window)), now).await?;
    announce_window(tx, window, "windows", &facts(window), now).await?;
    if let Some(sitter) = &window.sitter_id {
        announce_window(tx, window, &format!("sitter:{sitter}"), &facts(window), now).await?;
    }
    Ok(())
}

/// Tells the sitter who has lost a window, and not who has it now.
pub(super) async fn tell_who_left(tx: &mut Tx, window: &Window, left: Option<SitterId>, now: Timestamp) -> Result<()> {
    let Some(left) = left else { return Ok(()) };
    let facts = json!({"windowId": window.id, "bookingId": window.booking_id, "sitterId": null});
    announce_window(tx, window, &format!("sitter:{left}"), &facts, now).await
}

fn facts(window: &Window) -> Value {
    json!({
        "windowId": window.id,
        "bookingId": window.booking_id,
        "threadId": window.thread_id,
        "sitterId": window.sitter_id,
        "startsAt": window.starts_at,
        "endsAt": window.ends_at,
        "cancelled": window.cancelled_at.is_some(),
    })
}

async fn announce_window(tx: &mut Tx, window: &Window, topic: &str, facts: &Value, now: Timestamp) -> Result<()> {
    stream::append(tx, Some(&window.org_id), topic, "window.changed", facts, now).await
}

/// Gives the conversation and the window of a booking to its sitter, where they exist; the confirmation creates them. The
/// caller holds the locks of the booking and the conversation.
pub(crate) async fn hand_over(
    tx: &mut Tx,
    booking: &Booking,
    thread: Option<&Thread>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    if let Some(thread) = thread.filter(|thread| thread.assigned_sitter_id != booking.sitter_id) {
        threads::set_sitter(tx, &thread.id, booking.sitter_id.as_ref(), now).await?;
        threads::announce(tx, thread, booking.sitter_id.as_ref(), now).await?;
    }
    let before = windows::of_booking(tx, &booking.id).await?;
    if let Some(window) = windows::set_sitter(tx, &booking.id, booking.sitter_id.as_ref(), now).await? {
        record_window(tx, booking, &window, WindowChange::Updated, by, now).await?;
        tell_who_left(tx, &window, before.and_then(|window| window.sitter_id), now).await?;
    }
    Ok(())
}

/// As [`hand_over`], for a caller who holds the lock of the booking only.
pub(crate) async fn hand_over_of(tx: &mut Tx, booking: &Booking, by: &Actor, now: Timestamp) -> Result<()> {
    let thread = match threads::of_booking(tx, &booking.id).await? {
        Some(thread) => Some(threads::lock(tx, &thread.id).await?),
        None => None,
    };
    hand_over(tx, booking, thread.as_ref(), by, now).await
}

/// What the automation step did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: `automation.run` for a row entered now"]
pub struct AutomationStep {
    /// The automation run of the confirmation text.
    pub run_id: AutomationRunId,
    /// Whether the run was inserted by this step.
    pub created: bool,
    /// Whether the run waits for the thread's number.
    pub blocked: bool,
    /// The job that must follow for a run that was inserted by this step.
    pub start: Option<RunToStart>,
}

/// Step 5: ensures that there is one automation run for the confirmation text. Does nothing if the booking is
/// cancelled.
pub async fn automation(tx: &mut Tx, id: &BookingId, now: Timestamp) -> Result<ToFollow<AutomationStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(ToFollow::NOTHING) };
    let thread = threads::of_booking(tx, id).await?;
    let blocked = thread.as_ref().is_some_and(|thread| thread.message_number_id.is_none());
    let scheduled_for = delay(tx, &booking, AutomationType::BookingConfirmation, now).await?;
    let new = NewAutomationRun {
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
    let (run, created) = runs::insert(tx, &new, now).await?;
    let start = run.to_start().filter(|_| created);
    Ok(AutomationStep { blocked: run.status == AutomationRunStatus::Blocked, run_id: run.id, created, start }.into())
}

/// Returns when an automation with a delay is due; `None` means immediately.
pub(crate) async fn delay(
    tx: &mut Tx,
    booking: &Booking,
    kind: AutomationType,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let minutes = automations::load(tx, &booking.org_id, kind).await?.map_or(0, |automation| automation.delay_minutes);
    let seconds = u64::try_from(minutes).unwrap_or(0).saturating_mul(60);
    Ok((seconds > 0).then(|| now + Duration::from_secs(seconds)))
}

/// What all steps together did, for the audit log.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub thread: ThreadStep,
    /// The thread's number, if it has one.
    pub number: Option<AssignedNumber>,
    pub window: WindowStep,
    pub automation: AutomationStep,
}

/// Step 6: records the confirmation in the audit log. Every repetition is recorded, although the other steps have an
/// effect only once.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking.
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
