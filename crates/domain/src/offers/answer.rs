//! A sitter's answer to an offer. The API and texts answer by the same function.

use nightshift_db::{Timestamp, Tx};

use super::assign::assign;
use super::held::hold_with_thread;
use super::lifecycle::{Refusal, Step, outcome};
use super::offer::{Offer, answered_by};
use super::record::{Given, end, no_longer_unfilled, note_unfilled};
use super::status::OfferStatus;
use super::status::Via;
use crate::actor::Actor;
use crate::automations::AutomationType;
use crate::automations::runs::{self, NewAutomationRun, RunsToStart};
use crate::bookings::Booking;
use crate::confirmation;
use crate::field_errors::TextLimit;
use crate::ids::{BookingId, OfferId, OrgId, SitterId};
use crate::people::sitters;
use crate::{Error, Result};

const REASON: TextLimit = TextLimit { chars_max: 4000 };

/// An answer to an offer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub accepts: bool,
    /// The offer of the booking that it is about, if the sitter named one. Otherwise it is about the one that can be
    /// answered.
    pub offer: Option<&'a OfferId>,
    pub via: Via,
    /// Why the sitter declines, at most 4000 characters.
    pub reason: Option<&'a str>,
    /// When the sitter gave it, which decides whether the offer existed and had not expired.
    pub at: Timestamp,
}

/// An offer that is answered.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `metrics.sitter_window` and `automation.run`"]
pub struct Answered {
    pub offer: Offer,
    pub booking: Booking,
    /// Whether this answer changed it. If not, the same answer had been given before.
    pub changed: bool,
    /// The text about the assignment.
    pub runs: RunsToStart,
    /// Other sitters with an overdue offer that expired now, whose figures change.
    pub expired: Vec<SitterId>,
}

/// Answers a sitter's offer of a booking. A repeated answer changes nothing. An acceptance gives the booking, its window
/// and its conversation to the sitter, and ends the other offers.
///
/// The inner error says why the offer stays as it is; nothing was changed then.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such booking, or it was never offered to the sitter.
pub async fn answer(
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    booking: &BookingId,
    answer: Answer<'_>,
    by: &Actor,
    now: Timestamp,
) -> Result<std::result::Result<Answered, Refusal>> {
    if answer.reason.is_some_and(|reason| !REASON.allows(reason)) {
        return Err(Error::invalid("reason", "must be at most 4000 characters"));
    }
    let (mut held, thread) = hold_with_thread(tx, booking).await?;
    if held.booking.org_id != *org {
        return Err(Error::NotFound);
    }
    let offer = match answer.offer {
        Some(named) => held.offers.iter().find(|offer| offer.id == *named && offer.sitter_id == *sitter),
        None => answered_by(&held.offers, sitter),
    };
    let offer = offer.cloned().ok_or(Error::NotFound)?;
    let mut scene = held.scene(answer.at, now);
    scene.open &= !answer.accepts || sitters::is_active(tx, sitter).await?;
    let step = if answer.accepts { Step::Accept } else { Step::Decline };
    let changes = match outcome(&scene, &offer, step) {
        Ok(changes) => changes,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if changes.is_empty() {
        let (booking, runs) = (held.booking, RunsToStart::default());
        return Ok(Ok(Answered { offer, booking, changed: false, runs, expired: Vec::new() }));
    }
    let mut runs = RunsToStart::default();
    if answer.accepts {
        assign(tx, &mut held, thread.as_ref(), Some(sitter), by, now).await?;
        runs = tell_of_assignment(tx, &held.booking, sitter, &offer.id, now).await?;
    }
    let given = Given { via: answer.via, reason: answer.reason, at: answer.at };
    let mut expired = Vec::new();
    for (id, status) in changes {
        let given = matches!(status, OfferStatus::Accepted | OfferStatus::Declined).then_some(given);
        let ended = end(tx, &mut held, &id, status, given, by, now).await?;
        if status == OfferStatus::Expired {
            expired.push(ended.sitter_id);
        }
    }
    if answer.accepts {
        no_longer_unfilled(tx, booking, "a sitter accepted it", now).await?;
    } else {
        note_unfilled(tx, &held, now).await?;
    }
    let offer = held.offers.iter().find(|other| other.id == offer.id).cloned().ok_or(Error::NotFound)?;
    Ok(Ok(Answered { offer, booking: held.booking, changed: true, runs, expired }))
}

/// Inserts the run of the text that tells the sitter of their assignment.
async fn tell_of_assignment(
    tx: &mut Tx,
    booking: &Booking,
    sitter: &SitterId,
    offer: &OfferId,
    now: Timestamp,
) -> Result<RunsToStart> {
    let new = NewAutomationRun {
        org_id: &booking.org_id,
        kind: AutomationType::SitterAssignment,
        trigger_ref: format!("offer:{offer}:accepted"),
        booking_id: Some(&booking.id),
        thread_id: None,
        client_id: None,
        sitter_id: Some(sitter),
        scheduled_for: confirmation::delay(tx, booking, AutomationType::SitterAssignment, now).await?,
        blocked: false,
        variables: None,
    };
    let (run, created) = runs::insert(tx, &new, now).await?;
    Ok(run.to_start().filter(|_| created).into())
}
