//! The step that gives a booking's thread its masking number, and the later try for a thread that got none.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::steps::hold;
use crate::actor::Actor;
use crate::audit;
use crate::automations::ledger::{self, RunToStart};
use crate::bookings::{self, Booking};
use crate::exceptions::{self, Problem, Severity};
use crate::ids::{BookingId, NumberId, OrgId, ThreadId};
use crate::messaging::numbers::{self, NumberClass, NumberStatus, Seeker};
use crate::messaging::threads::{self, Thread, ThreadStatus};
use crate::{Error, Result};

/// A thread's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedNumber {
    /// The number.
    pub number_id: NumberId,
    /// What it is for.
    pub class: NumberClass,
}

/// What came of looking for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberGiven {
    /// The thread has it already and it is in service.
    Kept(AssignedNumber),
    /// The thread got it now.
    Assigned(AssignedNumber),
    /// The organisation has none that fits; an exception for people is open.
    Missing,
}

impl NumberGiven {
    /// The number, if there is one.
    #[must_use]
    pub fn number(&self) -> Option<&AssignedNumber> {
        match self {
            Self::Kept(number) | Self::Assigned(number) => Some(number),
            Self::Missing => None,
        }
    }
}

/// What the number step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberStep {
    /// The thread.
    pub thread_id: ThreadId,
    /// What came of it; when it is missing, `thread.assign_number` must follow.
    pub given: NumberGiven,
    /// Runs that waited for the number, for which `automation.run` must follow.
    pub released: Vec<RunToStart>,
}

/// Step 3: the booking's thread has an active number. It keeps the one it has, also when a sitter with a number of
/// their own is assigned later: the client must not see it change. None when the booking is cancelled.
///
/// # Errors
/// [`Error::NotFound`] when the thread step has not run.
pub async fn number(tx: &mut Tx, id: &BookingId, by: &Actor, now: Timestamp) -> Result<Option<NumberStep>> {
    let Some(booking) = hold(tx, id).await? else { return Ok(None) };
    let thread = threads::of_booking(tx, id).await?.ok_or(Error::NotFound)?;
    give(tx, &booking, thread, by, now).await.map(Some)
}

/// Tries again to give a number to a thread that has none. None when the thread needs none any more: it is closed, or
/// its booking is cancelled.
///
/// # Errors
/// [`Error::NotFound`] when there is no such thread or it belongs to no booking.
pub async fn assign_number(tx: &mut Tx, thread: &ThreadId, by: &Actor, now: Timestamp) -> Result<Option<NumberStep>> {
    let found: Option<(Option<BookingId>,)> =
        tx.query("SELECT booking_id FROM message_threads WHERE id = $1").bind(thread).optional().await?;
    let booking = found.and_then(|(booking,)| booking).ok_or(Error::NotFound)?;
    let booking = bookings::lock(tx, &booking).await?;
    let thread = threads::lock(tx, thread).await?;
    if thread.status == ThreadStatus::Closed || booking.status == bookings::Status::Cancelled {
        exceptions::resolve(tx, &fingerprint(&thread.id), "the conversation needs no number any more", now).await?;
        return Ok(None);
    }
    give(tx, &booking, thread, by, now).await.map(Some)
}

/// The open conversations of an organisation's bookings that wait for a number, for trying them at once when one comes
/// into service.
///
/// # Errors
/// When the database can't be read.
pub async fn waiting_for_number(tx: &mut Tx, org: &OrgId) -> Result<Vec<ThreadId>> {
    let waiting: Vec<(ThreadId,)> = tx
        .query(
            "SELECT id FROM message_threads
             WHERE org_id = $1 AND scope = 'client_booking' AND status = 'open' AND message_number_id IS NULL
             ORDER BY created_at, id",
        )
        .bind(org)
        .all()
        .await?;
    Ok(waiting.into_iter().map(|(id,)| id).collect())
}

fn fingerprint(thread: &ThreadId) -> String {
    format!("no_number_available:{thread}")
}

async fn give(tx: &mut Tx, booking: &Booking, thread: Thread, by: &Actor, now: Timestamp) -> Result<NumberStep> {
    if let Some(kept) = active_number(tx, &thread).await? {
        let released = settle(tx, &thread.id, now).await?;
        return Ok(NumberStep { thread_id: thread.id, given: NumberGiven::Kept(kept), released });
    }
    let seeker = Seeker {
        org: &booking.org_id,
        booking: &booking.id,
        client: &booking.client_id,
        sitter: booking.sitter_id.as_ref(),
        thread: &thread.id,
    };
    let Some((number, reason)) = numbers::choose(tx, seeker).await? else {
        let problem = Problem::new("no_number_available", Severity::High, fingerprint(&thread.id))
            .title("A confirmed booking has no number to text from")
            .org(&booking.org_id)
            .booking(&booking.id)
            .thread(&thread.id)
            .client(&booking.client_id);
        exceptions::raise(tx, &problem, now).await?;
        return Ok(NumberStep { thread_id: thread.id, given: NumberGiven::Missing, released: Vec::new() });
    };
    threads::assign_number(tx, &thread.id, &number, now).await?;
    let entry = thread.entry("thread.number.assigned", "success", by).metadata(json!({
        "messageNumberId": number.id,
        "numberClass": number.number_class,
        "reason": reason,
        "replaced": thread.message_number_id,
    }));
    audit::record(tx, entry, now).await?;
    let released = settle(tx, &thread.id, now).await?;
    let assigned = AssignedNumber { number_id: number.id, class: number.number_class };
    Ok(NumberStep { thread_id: thread.id, given: NumberGiven::Assigned(assigned), released })
}

async fn active_number(tx: &mut Tx, thread: &Thread) -> Result<Option<AssignedNumber>> {
    let Some(id) = &thread.message_number_id else { return Ok(None) };
    let number = numbers::load(tx, id).await?.filter(|number| number.status == NumberStatus::Active);
    Ok(number.map(|number| AssignedNumber { number_id: number.id, class: number.number_class }))
}

/// The thread has its number: nobody needs to look after it, and what waited for it goes on.
async fn settle(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<Vec<RunToStart>> {
    exceptions::resolve(tx, &fingerprint(thread), "the conversation has a number now", now).await?;
    ledger::release_blocked(tx, thread, now).await
}
