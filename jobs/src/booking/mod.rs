//! Bookings: each operation makes a change and enqueues the jobs that follow from it in the same transaction.

pub mod confirm;
mod group;
mod payment;
pub mod rescheduled;
pub mod status_changed;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::bookings::payments::{Handled, PaymentReport};
use nightshift_domain::bookings::{self, Created, NewBooking, Patch, StatusChange};
use nightshift_domain::ids::{BookingId, OrgId};
use nightshift_providers::stripe::StripeFact;
use nightshift_queue::{EnqueueError, Enqueued, Job, NewJob};

use crate::enqueuer::Enqueuer;
use crate::error::Error;
use crate::offer;

use confirm::BookingConfirm;
use rescheduled::BookingRescheduled;
use status_changed::BookingStatusChanged;

/// The trigger of a confirmation by a request.
const BY_REQUEST: &str = "api";
/// The trigger of a confirmation by a payment.
const BY_PAYMENT: &str = "stripe";

pub struct CreatedBooking {
    pub created: Created,
    /// The id of the job that follows the first status.
    pub job: String,
}

/// A booking that was changed, or asked to be confirmed again.
pub struct Changed {
    pub change: StatusChange,
    /// The id of the job after which the whole change has taken effect; `None` if no job follows.
    pub job: Option<String>,
}

/// Creates a booking.
///
/// # Errors
/// As [`bookings::create`], or an error of the queue.
pub async fn create(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    new: NewBooking,
    by: &Actor,
) -> Result<CreatedBooking, Error> {
    let created = bookings::create(tx, org, new, by, enqueuer.now()).await?;
    let booking = &created.booking;
    let job = BookingStatusChanged { history_id: created.history_id.clone(), booking_id: booking.id.clone() };
    let job = enqueuer.enqueue(tx, about(enqueuer, &job, &booking.org_id, &booking.id)?).await?.id().to_owned();
    Ok(CreatedBooking { created, job })
}

/// Applies a patch to a booking.
///
/// # Errors
/// As [`bookings::patch`], or an error of the queue.
pub async fn change(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    id: &BookingId,
    patch: Patch,
    by: &Actor,
) -> Result<Changed, Error> {
    let change = bookings::patch(tx, org, id, patch, by, enqueuer.now()).await?;
    followed(enqueuer, tx, change, BY_REQUEST, by).await
}

/// Confirms a booking. Confirming a booking again creates whatever its confirmation lacks.
///
/// # Errors
/// As [`bookings::confirm`], or an error of the queue.
pub async fn confirm(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    id: &BookingId,
    by: &Actor,
) -> Result<Changed, Error> {
    let change = bookings::confirm(tx, org, id, by, enqueuer.now()).await?;
    followed(enqueuer, tx, change, BY_REQUEST, by).await
}

/// Cancels a booking.
///
/// # Errors
/// As [`bookings::cancel`], or an error of the queue.
pub async fn cancel(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    id: &BookingId,
    reason: Option<&str>,
    by: &Actor,
) -> Result<Changed, Error> {
    let change = bookings::cancel(tx, org, id, reason, by, enqueuer.now()).await?;
    followed(enqueuer, tx, change, BY_REQUEST, by).await
}

/// Applies a fact about a payment that Stripe reported.
pub(crate) async fn receive_payment(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    report: &PaymentReport<'_>,
    fact: StripeFact,
) -> Result<Handled, Error> {
    let handled = payment::tell(report, tx, fact, enqueuer.now()).await?;
    for change in &handled.changes {
        follow(enqueuer, tx, change, BY_PAYMENT, report.by).await?;
    }
    Ok(handled)
}

async fn followed(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    change: StatusChange,
    trigger: &str,
    by: &Actor,
) -> Result<Changed, Error> {
    let job = follow(enqueuer, tx, &change, trigger, by).await?;
    Ok(Changed { change, job })
}

/// Does to the booking's offers what follows from a change, and enqueues the jobs that follow. Returns the id of the last
/// one.
async fn follow(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    change: &StatusChange,
    trigger: &str,
    by: &Actor,
) -> Result<Option<String>, Error> {
    let booking = &change.booking;
    offer::booking_changed(enqueuer, tx, booking, by).await?;
    let mut last = None;
    if let Some(history_id) = &change.history_id {
        let job = BookingStatusChanged { history_id: history_id.clone(), booking_id: booking.id.clone() };
        last = Some(enqueuer.enqueue(tx, about(enqueuer, &job, &booking.org_id, &booking.id)?).await?);
    }
    if let Some(version) = change.rescheduled_to_version {
        let job = BookingRescheduled { booking_id: booking.id.clone(), version };
        last = Some(enqueuer.enqueue(tx, about(enqueuer, &job, &booking.org_id, &booking.id)?).await?);
    }
    if change.needs_confirm {
        last = Some(enqueue_confirm(enqueuer, tx, change, trigger, by).await?);
    }
    Ok(last.map(|job| job.id().to_owned()))
}

/// Enqueues the confirmation of a booking. One that is running may have passed the step that the change affects, so the
/// change gets a further job, which the booking's group runs after it.
async fn enqueue_confirm(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    change: &StatusChange,
    trigger: &str,
    by: &Actor,
) -> Result<Enqueued, Error> {
    let booking = &change.booking;
    let job = BookingConfirm {
        booking_id: booking.id.clone(),
        trigger: trigger.to_owned(),
        actor: by.actor_type().to_owned(),
    };
    Ok(enqueuer.enqueue_to_see(tx, about(enqueuer, &job, &booking.org_id, &booking.id)?).await?)
}

fn about<J: Job>(enqueuer: &Enqueuer<'_>, job: &J, org: &OrgId, booking: &BookingId) -> Result<NewJob, EnqueueError> {
    Ok(enqueuer.new_job(job)?.org(org.as_str()).correlation(booking.as_str()))
}
