//! Offers of bookings to sitters. The API and texts answer them by the same operation.

pub mod expire;
pub mod send;

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::bookings::Booking;
use nightshift_domain::ids::{BookingId, OfferId, OrgId, SitterId};
use nightshift_domain::offers::{self, Answer, Answered, Command, Draft, Followed, Offer};

use crate::enqueuer::Enqueuer;
use crate::error::Error;
use crate::{automation, metrics};

use expire::OfferExpire;
use send::OfferSend;

/// Offers a booking to sitters, for `default_life` if the draft says nothing else. Returns their offers, new or not.
///
/// # Errors
/// As [`offers::create`], or an error of the queue.
pub async fn create(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    booking: &BookingId,
    draft: &Draft,
    default_life: Duration,
    by: &Actor,
) -> Result<Vec<Offer>, Error> {
    let made = offers::create(tx, org, booking, draft, default_life, by, enqueuer.now()).await?;
    for sitter in &made.expired {
        metrics::sitter_changed(enqueuer, tx, sitter).await?;
    }
    for (offer, _) in made.offers.iter().filter(|(_, is_new)| *is_new) {
        let send = enqueuer.new_job(&OfferSend { offer_id: offer.id.clone() })?;
        enqueuer.enqueue(tx, send.org(org.as_str()).correlation(booking.as_str())).await?;
        expire_in_time(enqueuer, tx, OfferExpire::first(offer.id.clone()), offer).await?;
    }
    Ok(made.offers.into_iter().map(|(offer, _)| offer).collect())
}

async fn expire_in_time(enqueuer: &Enqueuer<'_>, tx: &mut Tx, job: OfferExpire, offer: &Offer) -> Result<(), Error> {
    let new = enqueuer.new_job(&job)?.org(offer.org_id.as_str()).correlation(offer.booking_id.as_str());
    enqueuer.enqueue(tx, new.run_at(offer.expires_at)).await?;
    Ok(())
}

/// Answers a sitter's offer of a booking. A repeated answer changes nothing.
///
/// # Errors
/// As [`offers::answer`]; a conflict if the offer can't be answered so; or an error of the queue.
pub async fn answer(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    booking: &BookingId,
    answer: Answer<'_>,
    by: &Actor,
) -> Result<Answered, Error> {
    let answered = offers::answer(tx, org, sitter, booking, answer, by, enqueuer.now()).await?;
    let answered = answered.map_err(nightshift_domain::Error::from)?;
    follow(enqueuer, tx, &answered).await?;
    Ok(answered)
}

/// Answers an offer by a sitter's text, which the carrier received `at`. Returns what to reply, which
/// [`sms::reply`](crate::sms::reply) sends.
///
/// It locks bookings, so call it before the transaction locks a conversation.
///
/// # Errors
/// An error of the database or the queue.
pub(crate) async fn answer_by_text(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    command: Command,
    at: Timestamp,
    by: &Actor,
) -> Result<String, Error> {
    let reply = offers::reply_to(tx, org, sitter, command, at, by, enqueuer.now()).await?;
    if let Some(answered) = &reply.answered {
        follow(enqueuer, tx, answered).await?;
    }
    Ok(reply.text)
}

/// Enqueues what follows from an answer.
async fn follow(enqueuer: &Enqueuer<'_>, tx: &mut Tx, answered: &Answered) -> Result<(), Error> {
    for run in &answered.runs {
        automation::start(enqueuer, tx, run).await?;
    }
    if answered.changed {
        metrics::sitter_changed(enqueuer, tx, &answered.offer.sitter_id).await?;
    }
    for sitter in &answered.expired {
        metrics::sitter_changed(enqueuer, tx, sitter).await?;
    }
    Ok(())
}

/// Takes an offer back.
///
/// # Errors
/// As [`offers::withdraw`].
pub async fn withdraw(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    offer: &OfferId,
    by: &Actor,
) -> Result<Offer, Error> {
    let withdrawn = offers::withdraw(tx, org, offer, by, enqueuer.now()).await?;
    Ok(withdrawn.offer)
}

/// Ends the offers of a booking that has ended or has a sitter now. Has those expire in time that may not last as long as
/// before, because it was moved, and tells of those anew that were to be told with its old time.
pub(crate) async fn booking_changed(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    booking: &Booking,
    by: &Actor,
) -> Result<(), Error> {
    let Followed { shortened, runs, expired } = offers::booking_changed(tx, booking, by, enqueuer.now()).await?;
    for offer in shortened {
        let job = OfferExpire::earlier(offer.id.clone(), offer.expires_at);
        expire_in_time(enqueuer, tx, job, &offer).await?;
    }
    for run in &runs {
        automation::start(enqueuer, tx, run).await?;
    }
    for sitter in &expired {
        metrics::sitter_changed(enqueuer, tx, sitter).await?;
    }
    Ok(())
}
